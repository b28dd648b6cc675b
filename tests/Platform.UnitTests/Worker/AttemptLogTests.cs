using System.Text;
using Platform.Worker.Jobs;

namespace Platform.UnitTests.Worker;

public sealed class AttemptLogTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly FakeTimeProvider _time = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_BeyondTheLimit_DropsWhatDoesNotFitAndSaysSoOnce()
    {
        const int Limit = 4096;
        var path = Path.Combine(_folder.Path, "j", "1.log");
        using (var log = new AttemptLog(path, Limit, _time))
        {
            for (var i = 0; i < 1000; i++)
            {
                log.Write($"line {i}");
            }
        }

        var lines = File.ReadAllLines(path);
        Assert.InRange(new FileInfo(path).Length, Limit / 2, Limit + 100);
        Assert.Equal(Enumerable.Range(0, lines.Length - 1).Select(i => $"line {i}"), lines[..^1].Select(line => line[(line.IndexOf(' ') + 1)..]));
        Assert.Equal($"The log has reached its limit of {Limit} bytes; nothing more is kept.", lines[^1]);
    }

    [Fact]
    public void Write_IsThereForAReaderAtOnce_AndAppendsToWhatThereWas()
    {
        var path = Path.Combine(_folder.Path, "j", "1.log");
        using (var first = new AttemptLog(path, 1 << 20, _time))
        {
            first.Write("one");
        }

        using var second = new AttemptLog(path, 1 << 20, _time);
        second.Write("two");

        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete), Encoding.UTF8);
        Assert.Equal(["one", "two"], reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line[^3..]));
    }
}
