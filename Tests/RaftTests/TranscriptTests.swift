import Foundation
import TestSupport
import Testing

@testable import Raft

struct TranscriptTests {
  @Test func membersDoWhatTheTranscriptsSay() throws {
    let transcripts = try Transcript.all(beside: #filePath)
    #expect(!transcripts.isEmpty)
    for transcript in transcripts {
      var cluster = ScriptedCluster()
      let outputs = transcript.blocks.map { block in
        block.commands.isEmpty ? [] : cluster.run(block.commands)
      }
      if Script.mustUpdate {
        try transcript.update(outputs)
        continue
      }
      for (block, output) in zip(transcript.blocks, outputs) {
        #expect(
          output == block.expected, "\(transcript.url.lastPathComponent):\(block.line)")
      }
    }
  }
}
