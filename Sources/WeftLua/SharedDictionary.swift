import Glibc
import WeftIO

/// A dictionary that all workers of a process share, of a bounded size: what was used longest ago goes first.
///
/// The keys are spread over shards, each with a lock that is held for one lookup or change.
final class SharedDictionary: Sendable {
  static let defaultBytes = 1 << 20
  /// Bytes below which another shard is not worth its lock.
  private static let shardBytes = 256 << 10

  private let shards: [Shard]

  /// A part and its lock. Not a `Locked`: what is done with the part is given by the caller.
  private final class Shard: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let content: UnsafeMutablePointer<SharedShard>

    init(limit: Int) {
      mutex = .allocate(capacity: 1)
      mutex.initialize(to: pthread_mutex_t())
      // It has nothing to fail at with default attributes (pthread_mutex_init(3)).
      pthread_mutex_init(mutex, nil)
      content = .allocate(capacity: 1)
      content.initialize(to: SharedShard(limit: limit))
    }

    deinit {
      content.deinitialize(count: 1)
      content.deallocate()
      pthread_mutex_destroy(mutex)
      mutex.deallocate()
    }

    func withLock<R>(_ body: (inout SharedShard) -> R) -> R {
      let error = pthread_mutex_lock(mutex)
      precondition(error == 0, "pthread_mutex_lock failed")
      defer { pthread_mutex_unlock(mutex) }
      return body(&content.pointee)
    }
  }

  /// - Parameter bytes: that keys and values may have, each entry with 112 of its own.
  init(bytes: Int = SharedDictionary.defaultBytes) {
    var count = 1
    while count < 16 && bytes / (count * 2) >= Self.shardBytes { count *= 2 }
    let limit = bytes / count
    shards = (0..<count).map { _ in Shard(limit: limit) }
  }

  /// Changes the size; what no longer fits goes. The number of shards stays.
  func resize(_ bytes: Int) {
    for shard in shards {
      shard.withLock {
        $0.limit = bytes / shards.count
        $0.shrink()
      }
    }
  }

  /// Calls `body` with the part that holds `key`, locked, and the key's hash.
  func withShard<R>(of key: Bytes, _ body: (inout SharedShard, Int) -> R) -> R {
    // Keyed anew in each process, so that nobody can send keys that collide.
    var hasher = Hasher()
    hasher.combine(bytes: UnsafeRawBufferPointer(start: key.base, count: key.count))
    let hash = hasher.finalize()
    return shards[(hash >> 32) & (shards.count - 1)].withLock { body(&$0, hash) }
  }

  var count: Int { shards.reduce(0) { sum, shard in sum + shard.withLock { $0.count } } }

  /// Up to `most` keys, in no order.
  func keys(_ most: Int, now: UInt64) -> [[UInt8]] {
    var found: [[UInt8]] = []
    for shard in shards where found.count < most {
      let missing = most - found.count
      found += shard.withLock { content in
        var keys: [[UInt8]] = []
        content.forEachKey(now: now) {
          keys.append($0.array)
          return keys.count < missing
        }
        return keys
      }
    }
    return found
  }

  /// Empties it, shard by shard.
  func removeAll() { for shard in shards { shard.withLock { $0.removeAll() } } }
}

/// The shared dictionaries of one bundle, by name. Versions of the bundle use the same ones, so that a reload loses
/// nothing: it lives as long as one of them does.
final class SharedSpace: Sendable {
  static let dictionaryLimit = 16

  private struct Place: Hashable {
    let bundle: String
    /// The process, so to speak: several proxies in one process (tests) have nothing in common.
    let process: ObjectIdentifier
  }

  private struct Known: @unchecked Sendable { weak var space: SharedSpace? }

  private static let spaces = Locked<[Place: Known]>([:])

  private let dictionaries = Locked<[String: SharedDictionary]>([:])

  /// The space of a bundle.
  /// - Parameter process: an object that the process has one of.
  static func of(_ bundle: String, in process: AnyObject) -> SharedSpace {
    let place = Place(bundle: bundle, process: ObjectIdentifier(process))
    return spaces.withLock { spaces in
      if let known = spaces[place]?.space { return known }
      spaces = spaces.filter { $0.value.space != nil }
      let made = SharedSpace()
      spaces[place] = Known(space: made)
      return made
    }
  }

  /// The dictionary of that name, made if there is none; nil when there are too many.
  /// - Parameter bytes: its size.
  func dictionary(_ name: String, bytes: Int) -> SharedDictionary? {
    dictionaries.withLock { known in
      if let found = known[name] { return found }
      if known.count >= Self.dictionaryLimit { return nil }
      let made = SharedDictionary(bytes: bytes)
      known[name] = made
      return made
    }
  }

  /// Gives the dictionaries that exist the sizes that a new version of the bundle declares.
  func resize(_ sizes: [String: Int]) {
    for (name, dictionary) in dictionaries.withLock({ $0 }) {
      dictionary.resize(sizes[name] ?? SharedDictionary.defaultBytes)
    }
  }
}
