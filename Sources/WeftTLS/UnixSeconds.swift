import Glibc

enum UnixSeconds {
  static func now() -> Int64 { Int64(time(nil)) }
}
