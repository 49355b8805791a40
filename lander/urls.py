from lander.api import CancelRequestResource, ExecuteRequestResource, JobResource, StageTimesResource

RESOURCES = [ExecuteRequestResource(), CancelRequestResource(), JobResource(), StageTimesResource()]
