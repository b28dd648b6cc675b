using System.Collections.Concurrent;
using FsCheck;
using FsCheck.Fluent;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme.Kills;

/// <summary>Histories that nobody interrupts, against the model that the kills are compared with: budget, leases, pins and durability, also over a restart.</summary>
public sealed class TierHistoryTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact(Timeout = 300_000)]
    public async Task Work_AnyHistory_IsAsTheModelSays() =>
        await Task.Run(() => Prop.ForAll(Gen.Choose(0, 1_000_000).ToArbitrary(), seed => HoldsAsync(seed)).Check(Properties.Config.WithMaxTest(40)), TestContext.Current.CancellationToken);

    private async Task<bool> HoldsAsync(int seed)
    {
        var folder = _folder[$"{seed}-{Guid.NewGuid():n}"];
        var model = new TierModel(folder);
        for (var life = 0; life < 2; life++)
        {
            var lines = new ConcurrentQueue<string>();
            await using (var tier = await TierWorkload.OpenAsync(folder, null, new ImpatientTime()))
            {
                await new TierWorkload(tier, folder, new Random(seed + life), lines.Enqueue).RunAsync(model.Version);
                Assert.InRange(tier.UsedBytes, 0, tier.LimitBytes);
                Assert.All(await tier.ListAsync(CancellationToken.None), blob => Assert.InRange(blob.Leases, 0, 1));
            }

            model.Take(lines);
            await model.CheckAsync(CancellationToken.None);
        }

        Directory.Delete(folder, recursive: true);
        return true;
    }
}
