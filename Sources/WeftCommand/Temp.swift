import WeftFilter

enum BuiltInFilters { static func register(into r: inout FilterRegistry) {} }
enum LuaFilters { static func register(into r: inout FilterRegistry) {} }
