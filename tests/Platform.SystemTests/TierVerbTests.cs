using System.Text.Json;
using Platform.Jobs;

namespace Platform.SystemTests;

/// <summary><c>platform tier</c> on a running platform, with a byte that goes bad under it.</summary>
public sealed class TierVerbTests(RunningPlatform platform) : IClassFixture<RunningPlatform>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tier_DamagedByte_IsFoundWithFileAndOffset_AndFetchedAgain()
    {
        await SealedAsync();
        var sound = await VerifyAsync(exitCode: 0);
        var blob = sound.MaxBy(each => each.CheckedBytes)!;
        Assert.All(sound, each => Assert.Empty(each.Damage));

        Damage(blob.File, blob.CheckedBytes - 3);
        var found = (await VerifyAsync(exitCode: 1)).Where(each => each.Damage.Count > 0).ToList();
        Assert.Equal(blob.File, Assert.Single(found).File);
        Assert.False(Assert.Single(found[0].Damage).Repaired);
        var text = await RunAsync(1, "tier", "verify", "--node", blob.Worker);
        Assert.Contains($"'{blob.File}', offset {found[0].Damage[0].Offset}", text, StringComparison.Ordinal);
        Assert.Contains("1 damaged chunks", text, StringComparison.Ordinal);

        Assert.Contains("nothing is damaged, 1 fetched again", await RunAsync(0, "tier", "verify", "--repair"), StringComparison.Ordinal);
        Assert.All(await VerifyAsync(exitCode: 0), each => Assert.Empty(each.Damage));
    }

    [Fact]
    public async Task Tier_PinnedKey_ShowsInListAndExplanation_UntilItIsUnpinned()
    {
        await SealedAsync();
        var blob = (await VerifyAsync(exitCode: 0))[0];

        Assert.Contains("is pinned", await RunAsync(0, "tier", "pin", blob.Key, "--node", blob.Worker), StringComparison.Ordinal);
        Assert.Contains("as before", await RunAsync(0, "tier", "pin", blob.Key, "--node", blob.Worker), StringComparison.Ordinal);
        Assert.Contains("while its key is pinned", await RunAsync(0, "tier", "explain", blob.Key, "--node", blob.Worker), StringComparison.Ordinal);
        Assert.Contains("\"pinned\":true", await RunAsync(0, "tier", "ls", "--json"), StringComparison.Ordinal);
        Assert.Contains("not here yet", await RunAsync(0, "tier", "pin", "models/later/x"), StringComparison.Ordinal);

        Assert.Contains("not pinned", await RunAsync(0, "tier", "unpin", blob.Key, "--node", blob.Worker), StringComparison.Ordinal);
        Assert.DoesNotContain("while its key is pinned", await RunAsync(0, "tier", "explain", blob.Key, "--node", blob.Worker), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tier_UnknownNodeOrKeyThatIsNone_IsRefusedClearly()
    {
        Assert.Contains("worker-0", await RunAsync(4, "tier", "verify", "--node", "worker-9"), StringComparison.Ordinal);
        Assert.Contains("expected an object key", await RunAsync(1, "tier", "pin", "../x"), StringComparison.Ordinal);
        using var answer = await platform.PostAsync("api/nodes/worker-0/tier/verify?key=none", "", Token);
        Assert.Contains(ErrorCodes.BlobNotFound, await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        Assert.Equal(404, (int)answer.StatusCode);
    }

    /// <summary>Has a model loaded, and everything of it on the device.</summary>
    private async Task SealedAsync()
    {
        await platform.CompleteAsync("Once upon a time", Token);
        await RunningPlatform.UntilAsync(
            async () =>
            {
                var tiers = JsonSerializer.Deserialize<List<TierTable>>(await RunAsync(0, "tier", "ls", "--json"), JsonSerializerOptions.Web)!;
                return tiers.Any(tier => tier.Blobs.Count > 0) && tiers.All(tier => tier.Blobs.All(blob => blob.Sealed));
            },
            "every blob sealed",
            Token);
    }

    private static void Damage(string path, long offset)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        Span<byte> one = stackalloc byte[1];
        RandomAccess.Read(file, one, offset);
        one[0] ^= 1;
        RandomAccess.Write(file, one, offset);
        RandomAccess.FlushToDisk(file);
    }

    private async Task<List<TierVerification>> VerifyAsync(int exitCode)
    {
        await using var run = await PlatformProcess.RunAsync(Token, "tier", "verify", "--json", "--home", platform.Home);
        Assert.True(run.ExitCode == exitCode, $"{run.ExitCode}: {run.Everything()}");
        return JsonSerializer.Deserialize<List<TierVerification>>(run.Output[^1], JsonSerializerOptions.Web)!;
    }

    private async Task<string> RunAsync(int exitCode, params string[] arguments)
    {
        await using var run = await PlatformProcess.RunAsync(Token, [.. arguments, "--home", platform.Home]);
        Assert.True(run.ExitCode == exitCode, $"{run.ExitCode}: {run.Everything()}");
        return run.Everything();
    }
}
