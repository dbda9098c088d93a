/// What the matcher does, one step each.
enum PatternStep: Sendable {
  case character(UInt32)
  case set(CharacterSet)
  case backreference(Int, PatternDirection)
  /// Steps over the character before the place: inside `(?<=…)` texts are matched from their end.
  case characterBefore(UInt32)
  case setBefore(CharacterSet)
  /// Tries the first, then the second.
  case fork(Int, Int)
  case jump(Int)
  case save(Int)
  /// Forgets the groups of a repetition before it begins anew.
  case forget(Range<Int>)
  /// Notes the place where a repetition begins; `advance` fails if it has not moved since.
  case mark(Int)
  case advance(Int)
  case start
  case end
  case wordBoundary(isNegated: Bool)
  /// Matches the steps after this one up to `succeed`, and goes on at `next` from the same place.
  case look(next: Int, isNegated: Bool)
  case succeed
}

/// A regular expression, ready to be matched.
struct Pattern: Sendable {
  /// Steps of a program: counts are written out, so that `(a{100}){100}` is large.
  private static let steps = 20_000

  let text: String
  private(set) var program: [PatternStep] = []
  private(set) var markCount = 0
  let captureCount: Int
  /// Whether what follows depends on what groups hold, and not on the place alone.
  let usesBackreferences: Bool

  /// - Throws: why `text` is no regular expression of ECMA-262.
  init(_ text: String) throws(PatternError) {
    self.text = text
    let parsed = try PatternParser.parse(text)
    captureCount = parsed.captureCount + 1
    usesBackreferences = parsed.usesBackreferences
    try emit(parsed.node, .ahead)
    program.append(.succeed)
  }

  private mutating func append(_ step: PatternStep) throws(PatternError) {
    guard program.count < Pattern.steps else {
      throw PatternError(message: "it is too large once its counts are written out", offset: 0)
    }
    program.append(step)
  }

  private mutating func emit(
    _ node: PatternNode, _ direction: PatternDirection
  ) throws(PatternError) {
    switch node {
    case .empty: break
    case .character(let value):
      try append(direction == .ahead ? .character(value) : .characterBefore(value))
    case .set(let set): try append(direction == .ahead ? .set(set) : .setBefore(set))
    case .sequence(let terms):
      for term in direction == .ahead ? terms : terms.reversed() { try emit(term, direction) }
    case .choice(let choices): try emit(choices: choices, direction)
    case .group(let inner, let capture):
      let isAhead = direction == .ahead
      try append(.save(2 * capture + (isAhead ? 0 : 1)))
      try emit(inner, direction)
      try append(.save(2 * capture + (isAhead ? 1 : 0)))
    case .backreference(let number): try append(.backreference(number, direction))
    case .look(let inner, let inside, let isNegated):
      let place = program.count
      try append(.look(next: 0, isNegated: isNegated))
      try emit(inner, inside)
      try append(.succeed)
      program[place] = .look(next: program.count, isNegated: isNegated)
    case .start: try append(.start)
    case .end: try append(.end)
    case .wordBoundary(let isNegated): try append(.wordBoundary(isNegated: isNegated))
    case .repetition(let inner, let count): try emit(inner, count, direction)
    }
  }

  private mutating func emit(
    choices: [PatternNode], _ direction: PatternDirection
  ) throws(PatternError) {
    var jumps: [Int] = []
    for (index, choice) in choices.enumerated() {
      let isLast = index == choices.count - 1
      let fork = program.count
      if !isLast { try append(.fork(fork + 1, 0)) }
      try emit(choice, direction)
      guard !isLast else { break }
      jumps.append(program.count)
      try append(.jump(0))
      program[fork] = .fork(fork + 1, program.count)
    }
    for jump in jumps { program[jump] = .jump(program.count) }
  }

  private mutating func emit(
    _ inner: PatternNode, _ count: PatternCount, _ direction: PatternDirection
  ) throws(PatternError) {
    // Nothing as often as one likes is nothing: `(?:){1000000}` takes no step.
    if inner.isEmpty { return }
    for _ in 0..<count.least { try emitOnce(inner, direction) }
    guard let most = count.most else {
      let fork = program.count
      try append(.fork(0, 0))
      let mark = try emitMarked(inner, direction)
      try append(.advance(mark))
      try append(.jump(fork))
      program[fork] = forking(fork, count.isGreedy)
      return
    }
    var forks: [Int] = []
    for _ in count.least..<max(count.least, most) {
      forks.append(program.count)
      try append(.fork(0, 0))
      let mark = try emitMarked(inner, direction)
      try append(.advance(mark))
    }
    let end = program.count
    for fork in forks {
      program[fork] = count.isGreedy ? .fork(fork + 1, end) : .fork(end, fork + 1)
    }
  }

  private func forking(_ fork: Int, _ isGreedy: Bool) -> PatternStep {
    isGreedy ? .fork(fork + 1, program.count) : .fork(program.count, fork + 1)
  }

  private mutating func emitMarked(
    _ inner: PatternNode, _ direction: PatternDirection
  ) throws(PatternError) -> Int {
    let mark = markCount
    markCount += 1
    try append(.mark(mark))
    try emitOnce(inner, direction)
    return mark
  }

  private mutating func emitOnce(
    _ inner: PatternNode, _ direction: PatternDirection
  ) throws(PatternError) {
    let captures = inner.captures
    if usesBackreferences, let first = captures.min(), let last = captures.max() {
      try append(.forget(2 * first..<2 * last + 2))
    }
    try emit(inner, direction)
  }
}

extension PatternNode {
  /// Whether no step comes of it.
  fileprivate var isEmpty: Bool {
    switch self {
    case .empty: true
    case .sequence(let nodes): nodes.allSatisfy(\.isEmpty)
    case .repetition(let inner, let count): count.most == 0 || inner.isEmpty
    default: false
    }
  }

  /// The numbers of the groups in it.
  fileprivate var captures: [Int] {
    switch self {
    case .group(let inner, let capture): [capture] + inner.captures
    case .sequence(let nodes), .choice(let nodes): nodes.flatMap(\.captures)
    case .look(let inner, _, _), .repetition(let inner, _): inner.captures
    default: []
    }
  }
}
