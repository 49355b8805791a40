from branch_source_builder.api import BuildLogResource, BuildSourceResource

RESOURCES = [BuildSourceResource(), BuildLogResource()]
