import Testing
import WeftIO

struct BufferPoolTests {
  @Test func lendsTheWarmestBufferFirst() {
    let pool = BufferPool(bufferSize: 128, keep: 2)
    var a = pool.none
    var b = pool.none
    #expect(!a.isAttached && a.space == 0 && a.isEmpty)
    pool.attach(&a)
    pool.attach(&b)
    #expect(a.isAttached && a.space == 128 && a.base != b.base)
    #expect(pool.lent == 2)
    let bBase = b.base
    pool.attach(&b)
    #expect(b.base == bBase && pool.lent == 2, "attaching twice changes nothing")
    pool.detach(&a)
    pool.detach(&b)
    pool.detach(&b)
    #expect(pool.lent == 0)
    var c = pool.none
    pool.attach(&c)
    #expect(c.base == bBase)
    pool.detach(&c)
  }

  @Test func freesWhatItDoesNotKeep() {
    let pool = BufferPool(bufferSize: 64, keep: 1)
    var buffers = (0..<10).map { _ in pool.none }
    for i in buffers.indices { pool.attach(&buffers[i]) }
    for i in buffers.indices { pool.detach(&buffers[i]) }
    #expect(pool.lent == 0)
  }

  @Test func compactsAndRewinds() {
    let pool = BufferPool(bufferSize: 8, keep: 1)
    var buffer = pool.none
    pool.attach(&buffer)
    for i in 0..<8 { buffer.base[i] = UInt8(i) }
    buffer.end = 8
    buffer.start = 5
    #expect(buffer.count == 3 && buffer.space == 0)
    buffer.compact()
    #expect(buffer.start == 0 && buffer.end == 3 && buffer.space == 5)
    #expect((0..<3).map { buffer.readPointer[$0] } == [5, 6, 7])
    buffer.rewindIfEmpty()
    #expect(buffer.count == 3)
    buffer.start = 3
    buffer.rewindIfEmpty()
    #expect(buffer.start == 0 && buffer.end == 0)
    pool.detach(&buffer)
    #expect(!buffer.isAttached)
  }
}

struct BytesTests {
  @Test func comparesSlicesAndSearches() {
    let bytes = Bytes("Hello, World")
    #expect(bytes == Bytes("Hello, World"))
    #expect(!(bytes == Bytes("Hello, World!")))
    #expect(bytes.equalsIgnoringCase(Bytes("hello, world")))
    #expect(!bytes.equalsIgnoringCase(Bytes("hello; world")))
    #expect(bytes.hasPrefix(Bytes("Hello")) && !Bytes("He").hasPrefix(bytes))
    #expect(bytes.slice(7, 100).string == "World")
    #expect(bytes.slice(-3, 5).string == "Hello")
    #expect(bytes.slice(9, 3).isEmpty)
    #expect(bytes.firstIndex(of: 0x6f) == 4)
    #expect(bytes.firstIndex(of: 0x6f, from: 5) == 8)
    #expect(bytes.firstIndex(of: 0x6f, from: 50) == nil)
    #expect(bytes.firstIndex(of: 0x7a) == nil)
    #expect(Bytes(" \t a b\t ").trimmed.string == "a b")
    #expect(Bytes(" \t").trimmed.isEmpty && Bytes().trimmed.isEmpty)
    #expect(OwnedBytes(bytes).withBytes { $0 == bytes } && OwnedBytes("").withBytes { $0.isEmpty })
  }

  @Test func readsDecimals() {
    func read(_ text: String) -> UInt64? { OwnedBytes(text).withBytes { $0.decimal } }
    #expect(read("0") == 0)
    #expect(read("007") == 7)
    #expect(read("9999999999999999999") == 9_999_999_999_999_999_999)
    #expect(["", "-1", "+1", " 1", "1 ", "1a", "0x1", "12345678901234567890", "/", ":"].compactMap(read).isEmpty)
  }
}

struct ByteWriterTests {
  private func write(capacity: Int = 64, _ body: (inout ByteWriter) -> Void) -> (text: String, overflow: Bool) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { memory in
      memory.initialize(repeating: 0x21)
      var writer = ByteWriter(memory.baseAddress!, capacity)
      body(&writer)
      #expect(memory[capacity...].allSatisfy { $0 == 0x21 }, "nothing beyond the capacity is touched")
      return (writer.bytes.string, writer.overflow)
    }
  }

  @Test func writesNumbers() {
    var random = SeededGenerator(seed: 3)
    var values: [UInt64] = [0, 9, 10, 99, 100, .max, .max - 1, 10_000_000_000_000_000_000, 9_999_999_999_999_999_999]
    for bits in 0..<64 { values.append(UInt64.random(in: 0...(.max >> UInt64(bits)), using: &random)) }
    for value in values {
      #expect(write { $0.append(decimal: value) }.text == String(value))
      #expect(write { $0.append(hex: value) }.text == String(value, radix: 16))
    }
    #expect(write { $0.append(decimal: Int.min) }.text == String(Int.min))
    #expect(write { $0.append(decimal: -5) }.text == "-5")
  }

  @Test func whatDoesNotFitIsLeftOut() {
    #expect(write(capacity: 3) { $0.append(decimal: UInt64(1_000)) } == ("", true))
    #expect(write(capacity: 4) { $0.append(decimal: UInt64(1_000)) } == ("1000", false))
    #expect(write(capacity: 3) { $0.append("four" as String) } == ("", true))
    #expect(write(capacity: 0) { $0.append(byte: 1) } == ("", true))
    #expect(write(capacity: 2) { $0.append(Bytes("ab")) } == ("ab", false))
    #expect(write(capacity: 5) { $0.append(decimal: UInt64(100_000)) } == ("", true))
  }
}
