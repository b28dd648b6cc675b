using System.Globalization;
using Platform.Jobs;

namespace Platform.Local.Supervisor;

/// <summary>A state folder in use by this process: created if absent, of our version, and locked against a second <c>platform up</c>.</summary>
internal sealed class HomeLock : IDisposable
{
    private readonly FileStream _lock;

    private HomeLock(HomeFolder home, FileStream file)
    {
        Home = home;
        _lock = file;
    }

    /// <summary>The folder.</summary>
    public HomeFolder Home { get; }

    /// <summary>Opens the folder.</summary>
    /// <exception cref="PlatformException">It is in use, of another version, or cannot be written.</exception>
    public static HomeLock Take(HomeFolder home)
    {
        FileStream file;
        try
        {
            Directory.CreateDirectory(home.Root);
            CheckVersion(home);
            file = new FileStream(Path.Combine(home.Root, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new PlatformException($"State folder {home.Root} cannot be written: {error.Message}. Choose another with --home or {HomeFolder.Variable}.", error);
        }
        catch (IOException error)
        {
            throw RunFile.Read(home) is { } run
                ? new PlatformException($"State folder {home.Root} is in use by `platform up` (process {run.SupervisorId}{(run.Url is null ? "" : ", " + run.Url)}). Stop that one, or choose another folder with --home.")
                : new PlatformException($"State folder {home.Root} cannot be opened: {error.Message}", error);
        }

        return new HomeLock(home, file);
    }

    public void Dispose() => _lock.Dispose();

    private static void CheckVersion(HomeFolder home)
    {
        if (!File.Exists(home.VersionFile))
        {
            if (Directory.EnumerateFileSystemEntries(home.Root).Any(entry => Path.GetFileName(entry) is not (".lock" or "version.new")))
            {
                throw new PlatformException($"{home.Root} has no 'version' file, so it is not a state folder of the platform. Name an empty or new folder with --home.");
            }

            var temporary = home.VersionFile + ".new";
            File.WriteAllText(temporary, HomeFolder.FormatVersion.ToString(CultureInfo.InvariantCulture) + "\n");
            File.Move(temporary, home.VersionFile, overwrite: true);
            return;
        }

        var found = File.ReadAllText(home.VersionFile).Trim();
        if (found != HomeFolder.FormatVersion.ToString(CultureInfo.InvariantCulture))
        {
            throw new PlatformException($"State folder {home.Root} has format version '{found}'; this program reads version {HomeFolder.FormatVersion}. Use the program that wrote it, or another folder with --home.");
        }
    }
}
