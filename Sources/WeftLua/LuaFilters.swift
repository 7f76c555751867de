import WeftFilter

/// The filter types of this module.
public enum LuaFilters {
  /// Adds them to a registry.
  public static func register(into registry: inout FilterRegistry) { registry.register(LuaFilterType.self) }
}
