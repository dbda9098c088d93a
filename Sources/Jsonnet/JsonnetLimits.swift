/// What a program may ask of the machine.
public enum JsonnetLimits {
  /// Calls inside each other.
  public static let stack = 500
  /// Address space of the evaluator.
  public static let memoryBytes = 2 << 30
  /// For one program.
  public static let seconds = 60
  /// For those that are evaluated together; then each is by itself.
  static let batchSeconds = 10
  /// For all that belongs to one commit.
  public static let totalSeconds = 300
  /// One value, import or program.
  public static let frameBytes = 256 << 20
  /// Programs that are evaluated together, at most.
  public static let batch = 100
  /// Characters of an error.
  public static let messageBytes = 2000
}

/// When the evaluations of one commit must have ended.
public struct JsonnetDeadline: Sendable {
  let end: ContinuousClock.Instant

  /// `JsonnetLimits.totalSeconds` from now.
  public init() { end = ContinuousClock.now + .seconds(JsonnetLimits.totalSeconds) }
}
