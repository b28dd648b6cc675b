using System.Runtime.InteropServices;
using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>The rows of all jobs as a B+ tree over an actor's state, sorted by time of submission: pages of rows, and nodes of at most <see cref="FanOut"/> children above them.</summary>
/// <remarks>
/// State: <c>directory</c> is the root, <c>node-N</c> a node below it, <c>page-N</c> the rows of a page. A row that is added or changed writes its page; one page in
/// <see cref="PageRows"/> also writes the node above, one node in <see cref="FanOut"/> the one above that. Changes are saved by the caller, all of a turn in one commit.
/// Rows mostly come in order, so what is full and gets a newest row is left full. Lives for one turn: <see cref="JobIndexCache.BeginTurnAsync"/> makes it. Not thread-safe, as the state is not.
/// </remarks>
internal sealed class JobIndexTree(IActorStateManager state, JobIndexCache cache)
{
    public const int PageRows = 64;
    public const int FanOut = 64;
    private const string RootKey = "directory";

    /// <summary>What this turn has changed lies in memory alone until the caller saves it.</summary>
    private bool _isChanged;

    /// <summary>Adds or replaces a row; a row older than the known one changes nothing.</summary>
    public async Task PutAsync(JobSummary row)
    {
        var path = await FindAsync(JobIndexKey.Of(row));
        if (path.Count == 0)
        {
            var root = await RootAsync();
            await SetPageAsync(root.NextNumber, [row]);
            await SetRootAsync(root with { Pages = [new JobIndexPageRange(root.NextNumber, JobIndexKey.Of(row))], NextNumber = root.NextNumber + 1 });
            return;
        }

        var page = path[^1].Child.Number;
        var rows = await PageAsync(page);
        var at = rows.BinarySearch(row, RowOrder.Instance);
        if (at >= 0)
        {
            if (rows[at].Version < row.Version)
            {
                await SetPageAsync(page, [.. rows[..at], row, .. rows[(at + 1)..]]);
            }

            return;
        }

        rows = [.. rows[..~at], row, .. rows[~at..]];
        if (rows.Count <= PageRows)
        {
            await SetPageAsync(page, rows);
            return;
        }

        var cut = Cut(rows.Count, ~at == rows.Count - 1 && path.TrueForAll(step => step.IsLast));
        var added = await TakeNumberAsync();
        await SetPageAsync(page, rows[..cut]);
        await SetPageAsync(added, rows[cut..]);
        await AddChildAsync(path, new JobIndexPageRange(added, JobIndexKey.Of(rows[cut])));
    }

    /// <summary>Removes a row, and returns it; null if it is not there.</summary>
    public async Task<JobSummary?> RemoveAsync(JobSummary row)
    {
        var path = await FindAsync(JobIndexKey.Of(row));
        if (path.Count == 0)
        {
            return null;
        }

        var page = path[^1].Child.Number;
        var rows = await PageAsync(page);
        var at = rows.BinarySearch(row, RowOrder.Instance);
        if (at < 0)
        {
            return null;
        }

        var removed = rows[at];
        if (rows.Count > 1)
        {
            await SetPageAsync(page, [.. rows[..at], .. rows[(at + 1)..]]);
        }
        else
        {
            await RemoveAsync(PageKey(page));
            await RemoveChildAsync(path);
        }

        return removed;
    }

    /// <summary>The pages from the one of <paramref name="before"/>, or from the newest, back to the oldest; rows within a page are oldest first.</summary>
    public async IAsyncEnumerable<List<JobSummary>> PagesBackAsync(JobIndexKey? before)
    {
        var path = await FindAsync(before);
        while (path.Count > 0)
        {
            yield return await PageAsync(path[^1].Child.Number);
            if (!_isChanged)
            {
                await cache.TrimAsync();
            }

            await StepBackAsync(path);
        }
    }

    private static int Cut(int count, bool isNewest) => isNewest ? count - 1 : count / 2;

    /// <summary>The way from the root to the page in which <paramref name="key"/> belongs, or to the newest page; empty if there is none.</summary>
    private async Task<List<Step>> FindAsync(JobIndexKey? key)
    {
        var root = await RootAsync();
        var path = new List<Step>(root.Depth + 1);
        if (root.Pages.Count > 0)
        {
            path.Add(new Step(null, root.Pages, PositionOf(root.Pages, key)));
            await DescendAsync(path, root.Depth + 1, key);
        }

        return path;
    }

    private async Task DescendAsync(List<Step> path, int levels, JobIndexKey? key)
    {
        while (path.Count < levels)
        {
            var number = path[^1].Child.Number;
            var ranges = await NodeAsync(number);
            path.Add(new Step(number, ranges, PositionOf(ranges, key)));
        }
    }

    private async Task StepBackAsync(List<Step> path)
    {
        var levels = path.Count;
        while (path.Count > 0 && path[^1].Position == 0)
        {
            path.RemoveAt(path.Count - 1);
        }

        if (path.Count > 0)
        {
            path[^1] = path[^1] with { Position = path[^1].Position - 1 };
            await DescendAsync(path, levels, null);
        }
    }

    private static int PositionOf(IReadOnlyList<JobIndexPageRange> ranges, JobIndexKey? key) => key is { } known ? JobIndexPageRange.Find(ranges, known) : ranges.Count - 1;

    /// <summary>Adds a child after the one that the path leads to, and divides what becomes too full, up to the root.</summary>
    private async Task AddChildAsync(List<Step> path, JobIndexPageRange child)
    {
        for (var level = path.Count - 1; level >= 0; level--)
        {
            var (node, ranges, position) = path[level];
            var isNewest = path.Take(level + 1).All(step => step.IsLast);
            List<JobIndexPageRange> all = [.. ranges.Take(position + 1), child, .. ranges.Skip(position + 1)];
            if (all.Count <= FanOut)
            {
                await SetRangesAsync(node, all);
                return;
            }

            var cut = Cut(all.Count, isNewest);
            var upper = await TakeNumberAsync();
            await SetNodeAsync(upper, all[cut..]);
            child = new JobIndexPageRange(upper, all[cut].First);
            if (node is not null)
            {
                await SetRangesAsync(node, all[..cut]);
                continue;
            }

            // The root has no neighbour: its children move one level down.
            var lower = await TakeNumberAsync();
            await SetNodeAsync(lower, all[..cut]);
            var root = await RootAsync();
            await SetRootAsync(root with { Pages = [new JobIndexPageRange(lower, all[0].First), child], Depth = root.Depth + 1 });
        }
    }

    /// <summary>Removes the child that the path leads to, and the nodes above that become empty.</summary>
    private async Task RemoveChildAsync(List<Step> path)
    {
        for (var level = path.Count - 1; level >= 0; level--)
        {
            var (node, ranges, position) = path[level];
            if (ranges.Count > 1)
            {
                await SetRangesAsync(node, [.. ranges.Where((_, i) => i != position)]);
                return;
            }

            if (node is { } number)
            {
                await RemoveAsync(NodeKey(number));
            }
        }

        await SetRootAsync((await RootAsync()) with { Pages = [], Depth = 0 });
    }

    private async Task SetRangesAsync(int? node, List<JobIndexPageRange> ranges)
    {
        if (node is { } number)
        {
            await SetNodeAsync(number, ranges);
        }
        else
        {
            await SetRootAsync((await RootAsync()) with { Pages = ranges });
        }
    }

    private async Task<int> TakeNumberAsync()
    {
        var root = await RootAsync();
        await SetRootAsync(root with { NextNumber = root.NextNumber + 1 });
        return root.NextNumber;
    }

    private async Task<JobIndexDirectory> RootAsync() => await state.TryGetStateAsync<JobIndexDirectory>(RootKey) is { HasValue: true } found ? found.Value : JobIndexDirectory.Empty;

    private Task SetRootAsync(JobIndexDirectory root) => SetAsync(RootKey, root);

    private Task<List<JobSummary>> PageAsync(int number) => GetAsync<List<JobSummary>>(PageKey(number));

    private Task SetPageAsync(int number, List<JobSummary> rows) => SetAsync(PageKey(number), rows);

    private Task<List<JobIndexPageRange>> NodeAsync(int number) => GetAsync<List<JobIndexPageRange>>(NodeKey(number));

    private Task SetNodeAsync(int number, List<JobIndexPageRange> ranges) => SetAsync(NodeKey(number), ranges);

    private Task<T> GetAsync<T>(string key)
    {
        cache.Keep(key);
        return state.GetStateAsync<T>(key);
    }

    private Task SetAsync<T>(string key, T value)
    {
        _isChanged = true;
        cache.Keep(key);
        return state.SetStateAsync(key, value);
    }

    private Task RemoveAsync(string key)
    {
        _isChanged = true;
        return state.RemoveStateAsync(key);
    }

    private static string PageKey(int number) => $"page-{number}";

    private static string NodeKey(int number) => $"node-{number}";

    /// <summary>A node on the way to a page.</summary>
    /// <param name="Node">The node's number; null for the root.</param>
    /// <param name="Ranges">Its children.</param>
    /// <param name="Position">The child that the way takes.</param>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Step(int? Node, IReadOnlyList<JobIndexPageRange> Ranges, int Position)
    {
        public JobIndexPageRange Child => Ranges[Position];

        public bool IsLast => Position == Ranges.Count - 1;
    }

    private sealed class RowOrder : IComparer<JobSummary>
    {
        public static readonly RowOrder Instance = new();

        public int Compare(JobSummary? one, JobSummary? other) => JobIndexKey.Compare(JobIndexKey.Of(one!), JobIndexKey.Of(other!));
    }
}
