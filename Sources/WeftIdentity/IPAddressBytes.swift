import Foundation

/// IP addresses as certificates carry them.
enum IPAddressBytes {
  /// 4 or 16 bytes in network order; nil when `text` is no address.
  static func of(_ text: String) -> [UInt8]? {
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { Array($0) } }
    var sixteen = in6_addr()
    if inet_pton(AF_INET6, text, &sixteen) == 1 { return withUnsafeBytes(of: &sixteen) { Array($0) } }
    return nil
  }
}
