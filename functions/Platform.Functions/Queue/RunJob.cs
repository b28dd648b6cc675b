using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Queue;

/// <summary>A message in the <c>jobs</c> queue starts its job. Twice, late or after a crash: the job's actor sees to it that nothing happens twice.</summary>
internal sealed class RunJobFunction(ControlClient control)
{
    [Function("RunJob")]
    public async Task Run([QueueTrigger(AppIds.JobQueue)] JobMessage job, CancellationToken cancellationToken)
    {
        if (!Names.IsJobId(job.Id))
        {
            throw new InvalidDataException($"The message names the job '{job.Id}'; expected {Names.JobIdRule}.");
        }

        if (job.Spec is null || await SubmitAsync(job.Spec with { Id = job.Id }, cancellationToken))
        {
            // One that rings for a job which has ended and is removed by now finds nothing, and is done.
            await control.DispatchJobAsync(job.Id, cancellationToken);
        }
    }

    /// <summary>False if another spec is known under the id.</summary>
    private async Task<bool> SubmitAsync(JobSpec spec, CancellationToken cancellationToken)
    {
        var faults = JobSpecValidation.Validate(spec);
        if (faults.Count > 0)
        {
            throw new InvalidDataException($"The message of job '{spec.Id}' has faults: {string.Join(" ", faults.Select(fault => $"{fault.Path} {fault.Message}"))}");
        }

        return (await control.SubmitJobAsync(spec.Id!, spec, cancellationToken)).Outcome != SubmitOutcome.Conflict;
    }
}
