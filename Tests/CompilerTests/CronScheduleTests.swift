import Testing

@testable import Compiler

struct CronScheduleTests {
  @Test(arguments: [
    ("0 18 * * FRI", [1080], 1, 2, 5, true), ("0 18 * * FRI", [1080], 1, 2, 4, false),
    ("*/30 9-10 * * *", [540, 570, 600, 630], 12, 31, 0, true),
    ("5,10 0 1 JAN *", [5, 10], 1, 1, 3, true), ("5,10 0 1 JAN *", [5, 10], 2, 1, 3, false),
    // Either of the two fields for days, where both say something.
    ("0 0 13 * 5", [0], 6, 13, 2, true), ("0 0 13 * 5", [0], 6, 14, 5, true),
    ("0 0 13 * 5", [0], 6, 14, 6, false),
    // Both, where one begins with a star.
    ("0 0 */2 * 1", [0], 6, 3, 1, true), ("0 0 */2 * 1", [0], 6, 4, 1, false),
    ("0 0 * * 7", [0], 1, 1, 0, true), ("0 0 * * sat-7", [0], 1, 1, 6, true),
    ("0 0 * * mon-fri/2", [0], 1, 1, 3, true), ("0 0 * * mon-fri/2", [0], 1, 1, 2, false),
    ("0 0 10/10 * *", [0], 1, 30, 2, true), ("0 0 10/10 * *", [0], 1, 29, 2, false),
    ("\t59   23 31 12 * ", [1439], 12, 31, 6, true),
  ])
  func fieldsAreReadAsCrontabDoes(
    text: String, minutes: [Int], month: Int, day: Int, weekday: Int, isIncluded: Bool
  ) throws {
    let schedule = try CronSchedule(text)
    #expect(schedule.minutesOfDay == minutes)
    #expect(schedule.includes(month: month, day: day, weekday: weekday) == isIncluded)
  }

  @Test(arguments: [
    "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *",
    "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *", "1- * * * *", "-1 * * * *",
    "1,,2 * * * *", "+1 * * * *", "1/2/3 * * * *", "@daily", "0 0 31 4,6 *", "0 0 30 2 *",
    "a * * * *", "* * * FEBRUARY *", "1.5 * * * *",
  ])
  func whatCronDoesNotKnowIsRefused(text: String) {
    #expect(throws: CronError.self) { try CronSchedule(text) }
  }

  @Test(arguments: [
    ("* * * * *", 1), ("0 0 * * *", 1440), ("0 18 * * FRI", 7 * 1440), ("0 0,12 * * *", 720),
    ("0 6,18 1 * *", 720), ("0 0 31 * *", 31 * 1440), ("30 23 29 2 *", 1461 * 1440),
    ("0 22 * * MON,TUE", 1440), ("0 1,23 * * *", 120),
  ])
  func theShortestPauseIsKnown(text: String, minutes: Int) throws {
    #expect(try CronSchedule(text).shortestPause == minutes)
  }

  @Test(arguments: [
    ("30m", 30), ("60h", 3600), ("1d12h", 2160), ("1d1h1m", 1501), ("366d", 527_040), ("0h5m", 5),
  ])
  func durationsAreMinutes(text: String, minutes: Int) {
    #expect(SettingsReader.minutes(text) == minutes)
  }

  @Test(arguments: [
    "", "0m", "5", "m", "1h1d", "-1h", "1.5h", "367d", "1 h", "9999999m", "1s", "1hh",
  ])
  func whatIsNoDurationIsRefused(text: String) {
    #expect(SettingsReader.minutes(text) == nil)
  }
}
