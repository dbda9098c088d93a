extension Pattern {
  /// Whether the pattern is found anywhere in a text; nil if `steps` end before that is known.
  ///
  /// Without backreferences no step is taken twice at one place, so that no text costs more than
  /// O(steps of the program × characters); with them it may take exponentially many.
  func isFound(in text: String, steps: inout Int) -> Bool? {
    // What is copied counts, too.
    steps -= text.utf8.count / 16
    guard steps > 0 else { return nil }
    var matcher = PatternMatcher(self, Array(text.unicodeScalars), steps)
    defer { steps = matcher.stepsLeft }
    return matcher.find()
  }
}

private struct PatternMatcher {
  /// Bits of what was tried; a longer text with a larger program is matched without them.
  private static let memoryBits = 1 << 27

  /// What is tried if what is tried now fails.
  private struct Branch {
    var step: Int
    var place: Int
    var captures: [Int]
    var marks: [Int]
  }

  private let pattern: Pattern
  private let text: [Unicode.Scalar]
  /// One bit for each step at each place; empty if what a step does depends on more.
  private var tried: [UInt64]
  private(set) var stepsLeft: Int
  /// How many `look`s what runs is inside of.
  private var looks = 0
  /// Places that one of them may have to forget.
  private static let maximumLog = 1 << 20

  init(_ pattern: Pattern, _ text: [Unicode.Scalar], _ steps: Int) {
    self.pattern = pattern
    self.text = text
    stepsLeft = steps
    let bits = pattern.program.count * (text.count + 1)
    let remembers = !pattern.usesBackreferences && bits <= PatternMatcher.memoryBits
    tried = remembers ? Array(repeating: 0, count: bits / 64 + 1) : []
    stepsLeft -= tried.count / 16
  }

  mutating func find() -> Bool? {
    // What can begin at the start alone is not looked for elsewhere.
    let isAnchored = if case .start? = pattern.program.first { true } else { false }
    for start in 0...(isAnchored ? 0 : text.count) {
      var captures = emptyCaptures
      if run(from: 0, at: start, &captures) { return true }
      if stepsLeft <= 0 { return nil }
    }
    return false
  }

  private var emptyCaptures: [Int] {
    pattern.usesBackreferences ? Array(repeating: -1, count: 2 * pattern.captureCount) : []
  }

  private mutating func isNew(_ step: Int, _ place: Int, _ log: inout [Int]) -> Bool {
    guard !tried.isEmpty else { return true }
    let bit = step * (text.count + 1) + place
    let mask = UInt64(1) << UInt64(bit & 63)
    guard tried[bit >> 6] & mask == 0 else { return false }
    tried[bit >> 6] |= mask
    // The outermost ends with success: nothing is forgotten there.
    if looks > 0 {
      log.append(bit)
      if log.count > PatternMatcher.maximumLog { stepsLeft = 0 }
    }
    return true
  }

  /// Whether the steps from one on lead to `succeed`; `captures` are what they were there.
  private mutating func run(from first: Int, at start: Int, _ captures: inout [Int]) -> Bool {
    var branches = [
      Branch(
        step: first, place: start, captures: captures,
        marks: tried.isEmpty ? Array(repeating: -1, count: pattern.markCount) : [])
    ]
    // A step that led to success proves nothing of where else it is tried from: it is forgotten.
    var log: [Int] = []
    while var branch = branches.popLast() {
      while true {
        stepsLeft -= 1
        guard stepsLeft > 0 else { return false }
        guard isNew(branch.step, branch.place, &log) else { break }
        if case .succeed = pattern.program[branch.step] {
          for bit in log { tried[bit >> 6] &= ~(UInt64(1) << UInt64(bit & 63)) }
          captures = branch.captures
          return true
        }
        guard take(&branch, &branches) else { break }
      }
    }
    return false
  }

  /// Takes one step; false if it fails.
  private mutating func take(_ branch: inout Branch, _ branches: inout [Branch]) -> Bool {
    let place = branch.place
    switch pattern.program[branch.step] {
    case .character(let value):
      guard place < text.count, text[place].value == value else { return false }
      branch.place += 1
    case .set(let set):
      guard place < text.count, set.contains(text[place].value) else { return false }
      branch.place += 1
    case .characterBefore(let value):
      guard place > 0, text[place - 1].value == value else { return false }
      branch.place -= 1
    case .setBefore(let set):
      guard place > 0, set.contains(text[place - 1].value) else { return false }
      branch.place -= 1
    case .backreference(let number, let direction):
      guard follow(number, direction, &branch) else { return false }
    case .fork(let first, let second):
      var other = branch
      other.step = second
      branches.append(other)
      branch.step = first
      return true
    case .jump(let target):
      branch.step = target
      return true
    case .save(let slot): if pattern.usesBackreferences { branch.captures[slot] = place }
    case .forget(let slots): for slot in slots { branch.captures[slot] = -1 }
    case .mark(let number): if tried.isEmpty { branch.marks[number] = place }
    case .advance(let number):
      // With a memory, what comes back to where it was has been tried.
      guard !tried.isEmpty || branch.marks[number] != place else { return false }
    case .start: guard place == 0 else { return false }
    case .end: guard place == text.count else { return false }
    case .wordBoundary(let isNegated):
      let before = place > 0 && CharacterSet.isWord(text[place - 1].value)
      let after = place < text.count && CharacterSet.isWord(text[place].value)
      guard (before != after) != isNegated else { return false }
    case .look(let next, let isNegated):
      var captures = branch.captures
      looks += 1
      let isFound = run(from: branch.step + 1, at: place, &captures)
      looks -= 1
      guard isFound != isNegated, stepsLeft > 0 else { return false }
      if !isNegated { branch.captures = captures }
      branch.step = next
      return true
    case .succeed: return true
    }
    branch.step += 1
    return true
  }

  /// Matches what a group holds; a group that took no part matches nothing at all.
  private func follow(
    _ number: Int, _ direction: PatternDirection, _ branch: inout Branch
  ) -> Bool {
    let (start, end) = (branch.captures[2 * number], branch.captures[2 * number + 1])
    guard start >= 0, end >= start else { return true }
    let length = end - start
    let from = direction == .ahead ? branch.place : branch.place - length
    guard from >= 0, from + length <= text.count,
      text[from..<(from + length)].elementsEqual(text[start..<end])
    else { return false }
    branch.place += direction == .ahead ? length : -length
    return true
  }
}
