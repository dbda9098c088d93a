/// What of a value some schema has looked at, for `unevaluated…` (2020-12 core §7.7, §11).
struct Evaluated {
  var allProperties = false
  /// Places of members in their map.
  var properties: Set<Int> = []
  var allItems = false
  /// Items before this one.
  var itemPrefix = 0
  var items: Set<Int> = []

  mutating func merge(_ other: Evaluated) {
    allProperties = allProperties || other.allProperties
    allItems = allItems || other.allItems
    itemPrefix = max(itemPrefix, other.itemPrefix)
    if !other.properties.isEmpty { properties.formUnion(other.properties) }
    if !other.items.isEmpty { items.formUnion(other.items) }
  }

  func hasProperty(_ index: Int) -> Bool { allProperties || properties.contains(index) }

  func hasItem(_ index: Int) -> Bool {
    allItems || index < itemPrefix || items.contains(index)
  }
}
