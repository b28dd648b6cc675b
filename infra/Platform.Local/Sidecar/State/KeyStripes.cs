namespace Platform.Local.Sidecar.State;

/// <summary>Locks over keys, by hash into a fixed number of them; several are taken in one order, so nobody waits in a circle.</summary>
internal sealed class KeyStripes
{
    private readonly SemaphoreSlim[] _locks = [.. Enumerable.Range(0, 128).Select(_ => new SemaphoreSlim(1))];

    public async ValueTask<IDisposable> EnterAsync(IEnumerable<string> keys, CancellationToken cancellationToken)
    {
        var taken = new List<SemaphoreSlim>();
        try
        {
            foreach (var index in keys.Select(key => (int)((uint)string.GetHashCode(key, StringComparison.Ordinal) % (uint)_locks.Length)).Distinct().Order())
            {
                await _locks[index].WaitAsync(cancellationToken);
                taken.Add(_locks[index]);
            }

            return new Taken(taken);
        }
        catch
        {
            new Taken(taken).Dispose();
            throw;
        }
    }

    private sealed class Taken(List<SemaphoreSlim> locks) : IDisposable
    {
        public void Dispose()
        {
            foreach (var one in locks)
            {
                one.Release();
            }
        }
    }
}
