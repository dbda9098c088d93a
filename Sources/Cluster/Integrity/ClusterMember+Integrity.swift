import Logging
import Store
import Synchronization

/// Members whose state differs from that of the others (see `IntegrityChange`).
extension ClusterMember {
  /// Takes this member out of service once the others agree that its state is not theirs, and back once the
  /// alarm is cleared: it still votes and keeps the log, but leads only if nobody else can, and its clients are sent away.
  func refreshFence() {
    do {
      let isFenced = try store.isFenced(id)
      let wasFenced = published.withLock { status in
        defer { status.isFenced = isFenced }
        return status.isFenced
      }
      guard isFenced != wasFenced else { return }
      inbox.post(.isFit(!isFenced))
      hub.allowStreams(!isFenced)
      guard isFenced else { return logger.notice("this member may serve again") }
      logger.critical(
        """
        this member's state differs from that of the others: it serves nobody until it is replaced \
        ('configsync member remove', then 'member add' and an empty --data-dir)
        """)
    } catch {
      // Whether it may serve can't be told.
      failStop(error)
    }
  }
}
