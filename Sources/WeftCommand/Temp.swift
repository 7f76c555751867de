import WeftFilter

/// Stands in until the Lua host lands.
enum LuaFilters { static func register(into registry: inout FilterRegistry) {} }
