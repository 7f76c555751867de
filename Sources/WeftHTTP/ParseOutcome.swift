/// What the received bytes amount to.
@frozen
public enum ParseOutcome: Equatable, Sendable {
  /// Nothing wrong so far, but the head has not ended. Call again with the same bytes and more behind them.
  case incomplete
  /// The head is the first `headLength` bytes; the body, or the next message, begins behind them.
  case complete(headLength: Int)
  /// Refuse the message and close the connection.
  case malformed(HTTPParseError)
}
