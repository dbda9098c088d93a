/// What a program may ask of the machine.
public enum JsonnetLimits {
  /// Calls inside each other.
  public static let stack = 500
  /// Address space of the evaluator.
  public static let memoryBytes = 2 << 30
  /// For one program, or those that are evaluated together.
  public static let seconds = 60
  /// For all programs of one call.
  public static let totalSeconds = 300
  /// One value, import or program.
  public static let frameBytes = 256 << 20
  /// Programs that are evaluated together, at most.
  public static let batch = 100
  /// Characters of an error.
  public static let messageBytes = 2000
}
