using Microsoft.Extensions.Options;
using Platform.Dapr;
using Platform.Jobs;

namespace Platform.Worker.Nodes;

/// <summary>Tells control what the node has and does: at an interval, and at once when something changes. Control may be away; the next heartbeat tells it all again.</summary>
internal sealed class HeartbeatSender(NodePicture picture, NodeChanges changes, DaprInvoker dapr, TimeProvider time, IOptions<WorkerOptions> options, ILogger<HeartbeatSender> logger) : BackgroundService
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var heard = true;
        try
        {
            while (true)
            {
                heard = await SendAsync(heard, stoppingToken);
                await changes.WaitAsync(options.Value.Heartbeat, time, stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The last word: place nothing here.
            picture.Draining = true;
            await SendAsync(false, CancellationToken.None);
        }
    }

    private async Task<bool> SendAsync(bool wasHeard, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            await dapr.InvokeMethodAsync(HttpMethod.Post, AppIds.Control, Routes.ControlHeartbeat, picture.Take(), JobsJson.Default.NodeHeartbeat, either.Token);
            if (!wasHeard)
            {
                NodeLog.Heard(logger);
            }

            return true;
        }
        catch (Exception fault) when (fault is DaprException || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            if (wasHeard)
            {
                NodeLog.NotHeard(logger, fault.Message);
            }

            return false;
        }
    }
}
