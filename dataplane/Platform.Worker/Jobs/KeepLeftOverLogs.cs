namespace Platform.Worker.Jobs;

/// <summary>Moves the logs of attempts that a killed process left on the node to object storage, once, at the start.</summary>
internal sealed class KeepLeftOverLogs(AttemptLogs logs) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => logs.KeepLeftOversAsync(stoppingToken);
}
