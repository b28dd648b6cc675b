using Platform.Worker.Jobs.Exec;

namespace Platform.Worker.Jobs;

/// <summary>Moves the logs of attempts that a killed process left on the node to object storage, and removes the folders of their commands, once, at the start.</summary>
internal sealed class KeepLeftOverLogs(AttemptLogs logs, WorkerNode node) : BackgroundService
{
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        // Before any job can come.
        ExecFolders.Delete(node.WorkFolder);
        return base.StartAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => logs.KeepLeftOversAsync(stoppingToken);
}
