"""The data store in OpenStack Swift. The only importer of swiftclient; see `store` for what lies where."""

from ci_utils.data_store.swift.store import SwiftDataStore
from ci_utils.data_store.swift.stores import SwiftDataStores

__all__ = ["SwiftDataStore", "SwiftDataStores"]
