using Platform.Functions.Hosting;
using Platform.Functions.Sweeping;

namespace Platform.Functions.Timer;

/// <summary>Once a minute: nudges jobs whose reminder or message was lost, takes idle replicas out of memory, deletes what nobody owns any more.</summary>
internal sealed class SweepFunction(JobSweep jobs, ModelSweeper models, SweepMetrics metrics, ILogger<SweepFunction> logger)
{
    [Function("Sweep")]
    public async Task Run([TimerTrigger("0 */1 * * * *")] TimerInfo timer, CancellationToken cancellationToken)
    {
        var swept = await jobs.RunAsync(cancellationToken) + await models.RunAsync(cancellationToken);
        metrics.Add(swept);
        if (swept.DidAnything)
        {
            logger.Swept(swept.Nudged, swept.Released, swept.Dropped, swept.ObjectsDeleted, swept.BytesDeleted, swept.Failures);
        }
    }
}
