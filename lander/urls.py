from lander.api import CancelRequestResource, ExecuteRequestResource, JobResource

RESOURCES = [ExecuteRequestResource(), CancelRequestResource(), JobResource()]
