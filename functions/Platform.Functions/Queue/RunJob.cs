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
        var spec = job.Spec with { Id = job.Id };
        var faults = JobSpecValidation.Validate(spec);
        if (faults.Count > 0)
        {
            throw new InvalidDataException($"The message of job '{job.Id}' has faults: {string.Join(" ", faults.Select(fault => $"{fault.Path} {fault.Message}"))}");
        }

        var answer = await control.SubmitJobAsync(job.Id, spec, cancellationToken);
        if (answer.Outcome != SubmitOutcome.Conflict)
        {
            await control.DispatchJobAsync(job.Id, cancellationToken);
        }
    }
}
