"""The WSGI application, for waitress in one process and gunicorn in many."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ci_utils.hosting.settings")
application = get_wsgi_application()
