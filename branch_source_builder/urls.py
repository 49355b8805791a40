from branch_source_builder.api import BuildSourceResource

RESOURCES = [BuildSourceResource()]
