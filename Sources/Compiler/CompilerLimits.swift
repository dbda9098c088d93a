/// What a repository may ask of the compiler, so that a hostile one can't hurt the machine.
public enum CompilerLimits {
  /// One structured file.
  public static let fileBytes = 16 << 20
  /// Maps and sequences inside each other.
  public static let depth = 64
  /// Values of one file with every alias expanded; a text counts as one more for each `expandedBytes` that it has.
  public static let expandedValues = 1_000_000
  public static let expandedBytes = 64
  /// Bytes of files of which it is remembered what they gave; as many again may be on their way out.
  public static let rememberedBytes = 1 << 30
  /// Files that are published.
  public static let files = 200_000
  public static let pathBytes = 4096
  public static let nameBytes = 255
  public static let pathDepth = 64
  /// One key, which has the names of all maps that it lies in; and all keys of one document.
  public static let keyBytes = 4096
  public static let documentKeyBytes = 64 << 20
  /// Lists, and references, inside each other while references are resolved.
  public static let nesting = 400
  /// Files of layers, each counted once a namespace that uses it.
  public static let layeredFiles = 1_000_000
  /// Unknown references for which a key like the one that was meant is looked for.
  public static let suggestions = 20
  /// Of the key that a reference names.
  public static let referenceBytes = 16 << 10
  /// Findings about references; what follows is not looked for.
  public static let referenceFindings = 10_000
  /// Bytes of all keys and values together, before references, with what each key takes beside its own: a few files may
  /// ask for many.
  public static let keySpaceBytes = 2 << 30
  public static let keyOverheadBytes = 400
  /// Rules under `files`, and patterns of policies.
  public static let patterns = 1000
  /// Patterns of protected keys, and characters of all of them.
  public static let protectedPatterns = 100
  public static let protectedPatternLength = 4096
  /// Findings about protected keys; what follows is not looked for.
  public static let protectedFindings = 1000
  /// Findings about signatures that are shown.
  public static let signatureFindings = 100
  /// Windows under `freeze`.
  public static let freezes = 100
  /// Comparisons of a character of a path with one of a pattern, for all files and patterns;
  /// and as many again of a deleted key with one that is protected.
  public static let patternSteps = 50_000_000_000
  /// References that lead on to each other.
  public static let referenceChain = 200
  /// Bytes of all values that hold references, once these are resolved.
  public static let resolvedBytes = 256 << 20
  /// Steps of all checks by schemas together.
  public static let schemaSteps = 1_000_000_000
  /// Findings of one policy that are shown.
  public static let policyFindings = 1000
  /// Prefixes that have owners.
  public static let owners = 10_000
  /// Findings about owners; what follows is not looked for.
  public static let ownerFindings = 1000
  /// Findings of one file; what follows is not looked for.
  public static let diagnosticsPerFile = 200
}
