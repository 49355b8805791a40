"""The tastypie base of every service: authentication, errors, schemas, status."""
