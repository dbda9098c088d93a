import Logging
import ServiceLifecycle
import UnixSignals

/// A long-running body as a service: SIGTERM and SIGINT end it gracefully.
struct BodyService: Service {
  let body: @Sendable () async throws -> Void
  func run() async throws { try await body() }
}

/// Runs `body` until it ends or a signal asks it to.
func runService(_ logger: Logger, _ body: @escaping @Sendable () async throws -> Void) async throws
{
  let group = ServiceGroup(
    configuration: ServiceGroupConfiguration(
      services: [
        .init(
          service: BodyService(body: body), successTerminationBehavior: .gracefullyShutdownGroup)
      ],
      gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
  do {
    try await group.run()
  } catch let failure as CommandFailure {
    throw failure
  } catch {
    throw CommandFailure(.unknown, "\(error)")
  }
}

/// Runs `body`, and cancels it when the process is asked to end.
func cancelWhenShutDown(_ body: @escaping @Sendable () async -> Void) async {
  await cancelWhenGracefulShutdown(body)
}
