// The encoding of commands about alarms; see CommandCoding.swift.

import BinaryCoding

extension ByteWriter {
  mutating func write(_ change: AlarmChange) {
    switch change {
    case .raise(let alarm): write(1, alarm)
    case .clear(let alarm): write(0, alarm)
    }
  }

  private mutating func write(_ tag: UInt8, _ alarm: Alarm) {
    write(tag)
    write(alarm.member)
    write(alarm.kind.rawValue)
  }
}

extension ByteReader {
  mutating func readAlarmChange() throws(DecodingFailure) -> AlarmChange {
    let raises = try readBool()
    let member = try read(UInt64.self)
    guard let kind = Alarm.Kind(rawValue: try readByte()) else {
      throw DecodingFailure("an unknown alarm")
    }
    let alarm = Alarm(member: member, kind: kind)
    return raises ? .raise(alarm) : .clear(alarm)
  }
}
