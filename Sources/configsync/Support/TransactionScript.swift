import ConfigSyncClient

/// A transaction as a person writes it, in the form of `etcdctl txn`: compares, an empty line, what is done
/// if all of them hold, an empty line, what is done else.
struct TransactionScript: Hashable {
  var compares: [ClientCompare] = []
  var success: [ClientOperation] = []
  var failure: [ClientOperation] = []

  struct Problem: Error, CustomStringConvertible {
    var line: Int
    var reason: String
    var description: String { "line \(line): \(reason)" }
  }

  /// - Throws: `Problem`.
  init(_ text: String) throws {
    var part = 0
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let number = index + 1
      let trimmed = line.filter { $0 != "\r" }
      if trimmed.allSatisfy(\.isWhitespace) {
        if index < lines.count - 1 { part += 1 }
        continue
      }
      do throws(Reason) {
        switch part {
        case 0: compares.append(try TransactionScript.compare(String(trimmed)))
        case 1: success.append(try TransactionScript.operation(String(trimmed)))
        case 2: failure.append(try TransactionScript.operation(String(trimmed)))
        default:
          throw Reason(
            "there are three parts: compares, what is done if they hold, what is done else")
        }
      } catch {
        throw Problem(line: number, reason: error.text)
      }
    }
  }

  private struct Reason: Error {
    var text: String
    init(_ text: String) { self.text = text }
  }

  /// `mod("key") > "0"`: version, create, mod, value or lease.
  private static func compare(_ line: String) throws(Reason) -> ClientCompare {
    let form = "a compare is written like mod(\"key\") > \"0\""
    guard let open = line.firstIndex(of: "("), let close = line.lastIndex(of: ")"), open < close
    else { throw Reason(form) }
    let name = line[..<open].filter { !$0.isWhitespace }
    let key = try words(String(line[line.index(after: open)..<close]))
    var rest = line[line.index(after: close)...].drop(while: \.isWhitespace)
    let relation: ClientCompare.Relation
    if rest.hasPrefix("!=") {
      relation = .notEqual
      rest = rest.dropFirst(2)
    } else {
      switch rest.first {
      case "=": relation = .equal
      case ">": relation = .greater
      case "<": relation = .less
      default: throw Reason("\(form): one of =, !=, > and <")
      }
      rest = rest.dropFirst()
    }
    let value = try words(String(rest))
    guard key.count == 1, value.count == 1 else { throw Reason(form) }
    let target: ClientCompare.Target
    if name == "value" || name == "val" {
      target = .value(Array(value[0].utf8))
    } else {
      guard let number = Int64(value[0]) else { throw Reason("'\(value[0])' is not a number") }
      switch name {
      case "version", "ver": target = .version(number)
      case "create", "c": target = .createRevision(number)
      case "mod", "m": target = .modRevision(number)
      case "lease": target = .lease(number)
      default:
        throw Reason("'\(name)' can't be compared: version, create, mod, value and lease can")
      }
    }
    return ClientCompare(Array(key[0].utf8), relation, target)
  }

  /// `put KEY VALUE`, `get KEY`, `get --prefix KEY`, `del KEY`, `del --prefix KEY`.
  private static func operation(_ line: String) throws(Reason) -> ClientOperation {
    var words = try words(line)
    let verb = words.isEmpty ? "" : words.removeFirst()
    if verb == "put" {
      guard words.count == 2 else { throw Reason("put takes a key and a value") }
      return .put(key: Array(words[0].utf8), value: Array(words[1].utf8))
    }
    guard verb == "get" || verb == "del" else {
      throw Reason("'\(verb)' is not an operation: put, get and del are")
    }
    let isPrefix = words.first == "--prefix"
    if isPrefix { words.removeFirst() }
    guard words.count == 1 else { throw Reason("\(verb) takes one key, or --prefix and one") }
    let key = Array(words[0].utf8)
    let range: ClientRange = isPrefix ? .prefix(key) : .key(key)
    return verb == "get" ? .get(range) : .delete(range)
  }

  /// Words between spaces; in quotation marks with `\"`, `\\`, `\n` and `\t`.
  private static func words(_ text: String) throws(Reason) -> [String] {
    var words: [String] = []
    var word: String?
    var isQuoted = false
    var characters = text.makeIterator()
    while let character = characters.next() {
      switch character {
      case "\"":
        isQuoted.toggle()
        word = word ?? ""
      case "\\" where isQuoted:
        guard let escaped = characters.next(),
          let meant = ["\"": "\"", "\\": "\\", "n": "\n", "t": "\t"][escaped] as Character?
        else { throw Reason("after a backslash comes one of \", \\, n and t") }
        word = (word ?? "") + String(meant)
      case _ where character.isWhitespace && !isQuoted:
        if let found = word { words.append(found) }
        word = nil
      default: word = (word ?? "") + String(character)
      }
    }
    guard !isQuoted else { throw Reason("a quotation mark is not closed") }
    if let found = word { words.append(found) }
    return words
  }
}
