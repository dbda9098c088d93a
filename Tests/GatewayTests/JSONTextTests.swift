import Testing

@testable import Gateway

struct JSONTextTests {
  private func objects(_ text: String) -> [String] {
    JSONText.objects(in: Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func aBodyHoldsOneObjectAfterTheOther() {
    #expect(
      objects("{\"a\":{\"b\":1}}\n{\"c\":\"}\\\"{\"}") == [
        "{\"a\":{\"b\":1}}", "{\"c\":\"}\\\"{\"}",
      ])
    #expect(objects("") == [] && objects("  \n") == [])
    #expect(
      objects("{\"a\":1}{") == ["{\"a\":1}", "{"], "what is cut off is for the decoder to refuse")
    #expect(objects("nonsense") == ["nonsense"])
  }

  @Test func textIsQuotedAsJSONWantsIt() {
    #expect(JSONText.quoted("a\"b\\c\n\u{1}é") == "\"a\\\"b\\\\c\\n\\u0001é\"")
  }
}
