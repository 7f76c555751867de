extension Bundle {
  /// One file.
  public struct Source: Sendable, Hashable {
    /// Relative to the bundle's top, with `/` between its parts.
    public let path: String
    public let text: [UInt8]

    public init(path: String, text: [UInt8]) {
      self.path = path
      self.text = text
    }
  }

  /// What a bundle may be. The bounds keep a mistaken path, such as a home folder, from being read whole, and a hostile
  /// archive from taking the process's memory.
  public enum Limits {
    /// Bytes of one file.
    public static let fileBytes = 1 << 20
    /// Bytes of all files.
    public static let totalBytes = 8 << 20
    /// Files.
    public static let files = 512
    /// Entries of all folders, those that are no part of the bundle included.
    public static let entries = 4096
    /// Folders above a file.
    public static let depth = 8
  }
}
