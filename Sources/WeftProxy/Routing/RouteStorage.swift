import WeftHTTP
import WeftIO
import WeftRegex

/// An array in memory of its own that is reached without a reference count. Freed by hand.
struct FlatArray<Element> {
  let base: UnsafeMutablePointer<Element>
  let count: Int

  init(_ elements: [Element]) {
    base = .allocate(capacity: max(elements.count, 1))
    count = elements.count
    for (i, element) in elements.enumerated() { (base + i).initialize(to: element) }
  }

  func deallocate() {
    base.deinitialize(count: count)
    base.deallocate()
  }

  /// The element at `index`, which must be below `count`; not checked.
  @inline(__always)
  subscript(index: Int) -> Element { base[index] }
}

/// The memory of a route table: trivial structs that refer to each other by index.
struct RouteStorage {
  /// A hostname that routes or listeners name.
  struct Host {
    var nameStart: Int32
    var nameCount: Int32
    /// Its path trie's root in `nodes`; -1: no route names this host.
    var root: Int32
    var regexStart: Int32
    var regexEnd: Int32
    /// The next less specific host of the same listener; -1: none.
    var next: Int32
  }

  /// A path element in the trie of a host.
  struct Node {
    var parent: Int32
    var textStart: Int32
    var textCount: Int32
    var exactStart: Int32
    var exactEnd: Int32
    var prefixStart: Int32
    var prefixEnd: Int32
    /// The nearest node above that has prefix entries; -1: none.
    var nextPrefix: Int32
    var hasChildren: Bool
  }

  /// A place in a hash table with linear probing. `index` -1: free.
  struct Slot {
    var hash: UInt32
    var index: Int32
  }

  /// A match without its host and path, which its place in the table stands for.
  struct Entry {
    var target: Int32
    /// Bytes of a PathPrefix without its trailing slash; -1 for other kinds.
    var prefixLength: Int32
    var method: Method
    /// Nothing but host and path has to match.
    var isUnconditional: Bool
    var headerCount: UInt16
    var headerStart: Int32
    var queryStart: Int32
    var queryCount: UInt16
    /// Length of the method in `text`; 0: any method.
    var methodCount: UInt16
    var methodStart: Int32
    /// Of a RegularExpression path.
    var pattern: Unmanaged<Pattern>?
  }

  struct ValueCondition {
    /// nil: `exact` holds the value.
    var pattern: Unmanaged<Pattern>?
    var exact: Bytes
  }

  struct HeaderCondition {
    var name: HeaderName
    var value: ValueCondition
  }

  struct QueryCondition {
    var name: Bytes
    var value: ValueCondition
  }

  let text: OwnedBytes
  let hosts: FlatArray<Host>
  let hostSlots: FlatArray<Slot>
  /// The host `*`; -1: none.
  let anyHost: Int
  /// No host but `*` is named, so that the request's need not be looked at.
  var takesAnyHost: Bool { anyHost >= 0 && hosts.count == 1 }
  /// Whether there is a wildcard of so many bytes, its dot included.
  let wildcardLengths: FlatArray<Bool>
  let hasWildcards: Bool
  let nodes: FlatArray<Node>
  let nodeSlots: FlatArray<Slot>
  let entries: FlatArray<Entry>
  let headerConditions: FlatArray<HeaderCondition>
  let queryConditions: FlatArray<QueryCondition>
  /// Owners of what entries and conditions point at.
  let patterns: [Pattern]
  let names: [OwnedBytes]

  func deallocate() {
    hosts.deallocate()
    hostSlots.deallocate()
    wildcardLengths.deallocate()
    nodes.deallocate()
    nodeSlots.deallocate()
    entries.deallocate()
    headerConditions.deallocate()
    queryConditions.deallocate()
  }
}
