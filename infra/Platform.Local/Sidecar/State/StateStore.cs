using System.Globalization;
using Platform.DataPlane;

namespace Platform.Local.Sidecar.State;

/// <summary>One state store component on the cluster's durable store. Thread-safe; a write is durable when it completes.</summary>
internal sealed class StateStore(DurableStore store, string component, TimeProvider time)
{
    /// <summary>Start of the durable keys of all state stores.</summary>
    public const string KeySpace = "s/";

    private readonly string _prefix = $"{KeySpace}{component}/";
    private readonly KeyStripes _locks = new();

    public string Component => component;

    /// <summary>The value of a key; null if it is absent or expired.</summary>
    public StateRecord? Find(string key)
    {
        if (!store.TryGet(_prefix + key, out var bytes))
        {
            return null;
        }

        var record = StateRecord.Of(bytes);
        return record.IsExpired(time.GetUtcNow()) ? null : record;
    }

    /// <summary>All operations or none, checked first.</summary>
    public async Task<StateConflict> TransactAsync(IReadOnlyList<StateOperation> operations, CancellationToken cancellationToken)
    {
        using var locks = await _locks.EnterAsync(operations.Select(operation => operation.Key), cancellationToken);
        var written = new Dictionary<string, StateRecord?>(StringComparer.Ordinal);
        foreach (var operation in operations)
        {
            if (Check(operation, Current(operation.Key, written)) is var conflict and not StateConflict.None)
            {
                return conflict;
            }
        }

        Apply(operations, written);
        await CommitAsync(written);
        return StateConflict.None;
    }

    /// <summary>Each operation on its own: those whose check holds are applied, together; the first conflict is returned.</summary>
    public async Task<StateConflict> SaveAsync(IReadOnlyList<StateOperation> operations, CancellationToken cancellationToken)
    {
        using var locks = await _locks.EnterAsync(operations.Select(operation => operation.Key), cancellationToken);
        var written = new Dictionary<string, StateRecord?>(StringComparer.Ordinal);
        var first = StateConflict.None;
        foreach (var operation in operations)
        {
            var conflict = Check(operation, Current(operation.Key, written));
            if (conflict == StateConflict.None)
            {
                Apply([operation], written);
            }
            else if (first == StateConflict.None)
            {
                first = conflict;
            }
        }

        await CommitAsync(written);
        return first;
    }

    /// <summary>Deletes what has expired: reads do not see it any more, but it takes room.</summary>
    public async Task ForgetExpiredAsync(CancellationToken cancellationToken)
    {
        foreach (var key in store.Keys(_prefix))
        {
            if (IsExpired(key))
            {
                using var locks = await _locks.EnterAsync([key[_prefix.Length..]], cancellationToken);
                if (IsExpired(key))
                {
                    await store.CommitAsync([new DurableWrite(key, null)], CancellationToken.None);
                }
            }
        }
    }

    private bool IsExpired(string storedKey) => store.TryGet(storedKey, out var bytes) && StateRecord.Of(bytes).IsExpired(time.GetUtcNow());

    private static StateConflict Check(StateOperation operation, StateRecord? current)
    {
        if (string.IsNullOrEmpty(operation.ETag))
        {
            return operation.FirstWrite && current is not null ? StateConflict.Mismatch : StateConflict.None;
        }

        if (!long.TryParse(operation.ETag, NumberStyles.None, CultureInfo.InvariantCulture, out var version))
        {
            return StateConflict.InvalidETag;
        }

        return current?.Version == version ? StateConflict.None : StateConflict.Mismatch;
    }

    private StateRecord? Current(string key, Dictionary<string, StateRecord?> written) => written.TryGetValue(key, out var record) ? record : Find(key);

    private void Apply(IReadOnlyList<StateOperation> operations, Dictionary<string, StateRecord?> written)
    {
        var now = time.GetUtcNow();
        foreach (var operation in operations)
        {
            var version = Current(operation.Key, written)?.Version ?? 0;
            written[operation.Key] = operation.Value is { } value
                ? new StateRecord(version + 1, operation.TimeToLive > TimeSpan.Zero ? now + operation.TimeToLive : null, value)
                : null;
        }
    }

    private async Task CommitAsync(Dictionary<string, StateRecord?> written)
    {
        if (written.Count > 0)
        {
            // Not cancellable: the locks must not open before the outcome is known.
            await store.CommitAsync([.. written.Select(write => new DurableWrite(_prefix + write.Key, write.Value?.ToBytes()))], CancellationToken.None);
        }
    }
}
