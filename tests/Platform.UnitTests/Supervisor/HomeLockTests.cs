using Platform.Jobs;
using Platform.Local;
using Platform.Local.Supervisor;

namespace Platform.UnitTests.Supervisor;

public sealed class HomeLockTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("home-lock-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Take_NewFolder_WritesItsVersionAndOpensAgain()
    {
        var home = new HomeFolder(Path.Combine(_folder, "new"));

        HomeLock.Take(home).Dispose();
        using var again = HomeLock.Take(home);

        Assert.Equal("1", File.ReadAllText(home.VersionFile).Trim());
    }

    [Fact]
    public void Take_WhileTaken_SaysThatItIsInUse()
    {
        var home = new HomeFolder(_folder);
        using var first = HomeLock.Take(home);

        var error = Assert.Throws<PlatformException>(() => HomeLock.Take(home));

        Assert.Contains(_folder, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Take_OtherVersion_NamesBothVersions()
    {
        var home = new HomeFolder(_folder);
        File.WriteAllText(home.VersionFile, "7\n");

        var error = Assert.Throws<PlatformException>(() => HomeLock.Take(home));

        Assert.Contains("format version '7'; this program reads version 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Take_SomebodyElsesFolder_IsRefused()
    {
        File.WriteAllText(Path.Combine(_folder, "thesis.tex"), "");

        var error = Assert.Throws<PlatformException>(() => HomeLock.Take(new HomeFolder(_folder)));

        Assert.Contains("not a state folder", error.Message, StringComparison.Ordinal);
        Assert.Equal(["thesis.tex"], Directory.GetFileSystemEntries(_folder).Select(Path.GetFileName));
    }
}
