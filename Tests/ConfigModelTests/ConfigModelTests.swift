import ConfigModel
import Testing

struct ConfigModelTests {
  @Test func segmentsAreEscapedAndComparedByBytes() {
    #expect(ConfigPath.root.appending("a/b").appending("50%").text == "/a%2Fb/50%25")
    let composed = ConfigPath.root.appending("\u{e9}")
    let decomposed = ConfigPath.root.appending("e\u{301}")
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
    #expect(ConfigPath(escaped: "/a-b") < ConfigPath(escaped: "/a/b"))
    #expect(ConfigPath(escaped: "/a") < ConfigPath(escaped: "/a/b"))
  }

  @Test(arguments: [
    (0, 0, "1970-01-01T00:00:00Z"), (951_782_400, 60, "2000-02-29T01:00:00+01:00"),
    (1_700_000_000, -330, "2023-11-14T16:43:20-05:30"), (-1, 0, "1969-12-31T23:59:59Z"),
    (4_102_444_799, 0, "2099-12-31T23:59:59Z"),
  ])
  func timesKeepTheirOffset(seconds: Int64, offset: Int, text: String) {
    let person = CommitFacts.Person(
      name: "a", email: "b", secondsSince1970: seconds, offsetMinutes: offset)
    #expect(person.time == text)
  }

  @Test func aCommitRecordReadsBack() throws {
    let id = try #require(CommitID(String(repeating: "0a", count: 20)))
    let person = CommitFacts.Person(
      name: "Ada", email: "ada@example.com", secondsSince1970: 1, offsetMinutes: 0)
    let record = CommitRecord(
      facts: CommitFacts(
        commit: id, parents: [id], tree: "t", author: person, committer: person, subject: "s/1"),
      prefix: "/", counts: .init(keys: 3, puts: 2, deletes: 1))
    let bytes = try ReservedKeys.encode(record)
    #expect(try ReservedKeys.decode(CommitRecord.self, from: bytes) == record)
    #expect(
      String(decoding: bytes, as: UTF8.self).contains("\"counts\":{\"deletes\":1,\"keys\":3"))
    #expect(CommitID("xyz") == nil)
  }
}
