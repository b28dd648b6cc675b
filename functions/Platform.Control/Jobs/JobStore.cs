using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>The saved state of one job: the spec, written once, and the record. What is in memory is what is saved; after a failed write it is read again.</summary>
internal sealed class JobStore(IActorStateManager state)
{
    private const string SpecKey = "spec";
    private const string RecordKey = "record";
    private JobRecord? _record;
    private JobSpec? _spec;

    /// <summary>The spec of the job that <see cref="LoadAsync"/> found.</summary>
    public JobSpec Spec => _spec ?? throw new InvalidOperationException("No job is loaded.");

    /// <summary>The job; null if it was never submitted.</summary>
    public async Task<JobRecord?> LoadAsync()
    {
        if (_record is null && await state.TryGetStateAsync<JobRecord>(RecordKey) is { HasValue: true } found)
        {
            _spec = await state.GetStateAsync<JobSpec>(SpecKey);
            _record = found.Value;
        }

        return _record;
    }

    public async Task CreateAsync(JobSpec spec, JobRecord record)
    {
        await state.SetStateAsync(SpecKey, spec);
        await SaveAsync(record);
        _spec = spec;
    }

    /// <summary>Removes everything; completes when that is durable.</summary>
    public async Task RemoveAsync()
    {
        (_record, _spec) = (null, null);
        await state.TryRemoveStateAsync(SpecKey);
        await state.TryRemoveStateAsync(RecordKey);
        await state.SaveStateAsync();
    }

    /// <summary>Completes when the record is durable.</summary>
    public async Task SaveAsync(JobRecord record)
    {
        // Null until durable: a failed save leaves the truth in the store, not here.
        _record = null;
        await state.SetStateAsync(RecordKey, record);
        await state.SaveStateAsync();
        _record = record;
    }
}
