import Testing

@testable import JSONSchema

struct ExactNumberTests {
  private func number(_ text: String) throws -> ExactNumber {
    try #require(ExactNumber(json: text))
  }

  @Test(arguments: [
    ("1", "1.0"), ("1", "1e0"), ("100", "1e2"), ("0", "-0"), ("0", "0.000e9"), ("0.5", "5e-1"),
    ("1e400", "10e399"), ("12345678901234567890", "1234567890123456789e1"),
  ])
  func equalNumbersShareOneForm(left: String, right: String) throws {
    #expect(try number(left) == number(right))
    #expect(try number(left).canonical == number(right).canonical)
    #expect(try !(number(left) < number(right)) && !(number(right) < number(left)))
  }

  @Test(arguments: [
    ("-2", "-1"), ("-1", "0"), ("0", "1e-400"), ("9", "10"), ("0.1", "0.11"), ("-0.11", "-0.1"),
    ("9007199254740992", "9007199254740993"), ("1e308", "1e309"), ("0.99", "1"), ("-1e3", "1"),
  ])
  func smallerNumbersComeFirst(left: String, right: String) throws {
    #expect(try number(left) < number(right))
    #expect(try !(number(right) < number(left)))
  }

  @Test(arguments: [
    ("4", "2", true), ("4.5", "1.5", true), ("0.3", "0.1", true), ("0.35", "0.1", false),
    ("1e308", "0.5", true), ("1e308", "0.3", false), ("7", "0.7", true), ("0", "3", true),
    ("-6", "3", true), ("123456789012345678901234567890", "10", true),
    ("123456789012345678901234567890", "11", false),
    ("36893488147419103232", "18446744073709551616", true),
    ("36893488147419103233", "18446744073709551616", false),
    ("3000000000000000000000000000000000000", "1000000000000000000000000000000000001", false),
    ("2000000000000000000000000000000000002", "1000000000000000000000000000000000001", true),
    ("1e400", "1000000000000000000000000000000000001", false), ("1e1000000000", "3", false),
    ("1e1000000000", "5", true),
  ])
  func multiplesAreExact(value: String, divisor: String, isMultiple: Bool) throws {
    var steps = 1_000_000
    #expect(try number(value).isMultiple(of: number(divisor), steps: &steps) == isMultiple)
  }

  @Test func aDivisionThatTakesTooLongIsGivenUp() throws {
    let divisor = try number(String(repeating: "7", count: 30))
    var steps = 1_000_000
    #expect(try number("1e1000000000").isMultiple(of: divisor, steps: &steps) == nil)
    #expect(steps <= 0)
  }

  @Test(arguments: [("1.0", true), ("1e3", true), ("1.5", false), ("15e-1", false), ("-0", true)])
  func integersHaveNoFraction(text: String, isInteger: Bool) throws {
    #expect(try number(text).isInteger == isInteger)
  }

  @Test func countsAreBounded() throws {
    #expect(try number("1e2").count == 100)
    #expect(try number("1e100").count == Int.max)
    #expect(try number("-3").count == 0)
    #expect(try number("1.5").count == nil)
    #expect(ExactNumber(42).count == 42)
  }
}
