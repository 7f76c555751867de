/// A bundle's move to another version, as one proxy takes part in it.
public struct BundleRollout: Sendable, Hashable {
  public enum Mode: Sendable, Hashable {
    /// The candidate takes its share of the requests.
    case canary
    /// It runs beside the present version on its share of the requests, without effect.
    case shadow
  }

  /// The folder or archive of the candidate; nil: this proxy does not run it, and only counts what the present version
  /// does, to compare the two.
  public var candidate: String?
  /// Its share of the requests here, 0 to 100.
  public var percent: Int
  public var mode: Mode

  public init(candidate: String?, percent: Int, mode: Mode) {
    self.candidate = candidate
    self.percent = percent
    self.mode = mode
  }
}
