/// The version of this build of Weft.
public enum WeftVersion {
  public static let current = SemanticVersion(0, 1, 0)
}
