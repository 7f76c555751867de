/// A queue on an array: appending and taking from the front take constant time on average.
struct FIFO<Element> {
  private var elements: [Element] = []
  private var start = 0

  var count: Int { elements.count - start }
  var first: Element? { start < elements.count ? elements[start] : nil }

  mutating func append(_ element: Element) { elements.append(element) }

  /// Nothing happens when it is empty.
  mutating func removeFirst() {
    if start == elements.count { return }
    start += 1
    // What has been taken goes when it is the greater part, so that each element moves once at the most.
    if start * 2 >= elements.count {
      elements.removeFirst(start)
      start = 0
    }
  }
}
