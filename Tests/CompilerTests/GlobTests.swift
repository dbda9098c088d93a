import Testing

@testable import Compiler

struct GlobTests {
  @Test(arguments: [
    ("*.yaml", "a.yaml", true), ("*.yaml", "a/b.yaml", false), ("*.yaml", ".a.yaml", false),
    (".*.yaml", ".a.yaml", true), ("**/*.yaml", "a.yaml", true), ("**/*.yaml", "a/b/c.yaml", true),
    ("**/*.yaml", "a/.b/c.yaml", false), ("a/**", "a/b/c", true), ("a/**", "a", false),
    ("a/**/z", "a/z", true), ("a/**/z", "a/b/c/z", true), ("a?c", "abc", true),
    ("a?c", "a/c", false), ("[a-c]x", "bx", true), ("[!a-c]x", "bx", false),
    ("{a,b/*}.yaml", "b/q.yaml", true), ("{a,{b,c}}x", "cx", true), ("a\\*", "a*", true),
    ("a\\*", "ab", false), ("/a", "a", true), ("A", "a", false),
    ("{secrets/**,private/**}", "secrets/deep/a", true), ("{x,y/}**/k", "y/z/w/k", true),
    ("{x,y/}**/k", "y/k", true), ("{x,y/}**/k", "xz/k", true), ("{x,y/}**/k", "xz/w/k", false),
    ("{a/,}**", "a/b/c", true), ("{a/,}**", "z/q", true), ("a/{**,x}/z", "a/b/c/z", true),
    ("a/**{b,/c}", "a/x/y/c", true), ("a/**{b,/c}", "a/x/y/b", false), ("***/a", "b/a", true),
    ("***/a", "b/c/a", false), ("a/**", "a/.b/c", false), ("a/**", "a/b/.c", false),
    ("**", ".a/b", false), ("**", "a.b/c.d", true), ("a/**", "a/", false),
  ])
  func patternsMatchWholePaths(pattern: String, path: String, matches: Bool) throws {
    #expect(try Glob(pattern).matches(path) == matches)
  }

  @Test(arguments: ["", "[a", "{a", "a}", "a\\", "[z-a]"])
  func malformedPatternsAreRefused(pattern: String) {
    #expect(throws: GlobError.self) { _ = try Glob(pattern) }
  }

  @Test func noPatternCostsMuch() throws {
    let stars = try Glob(String(repeating: "*a", count: 400) + "b")
    #expect(!stars.matches(String(repeating: "a", count: 4000)))
    let folders = try Glob(String(repeating: "**/", count: 200) + "b")
    #expect(!folders.matches(String(repeating: "a/", count: 500) + "a"))
    #expect(throws: GlobError.self) { _ = try Glob(String(repeating: "{a,b}", count: 20)) }
    let inside = try Glob("{" + String(repeating: "y/**,", count: 100) + "y/**}")
    #expect(inside.matches("y/" + String(repeating: "a/", count: 2000) + "b"))
    // Few alternatives, each of them long.
    let long = String(repeating: "x", count: 900)
    #expect(throws: GlobError.self) { _ = try Glob(String(repeating: "{a,b}", count: 5) + long) }
    #expect(try Glob("{a,b}{a,b}" + long).matches("ab" + long))
    #expect(throws: GlobError.self) { _ = try Glob(String(repeating: "{", count: 500)) }
  }
}
