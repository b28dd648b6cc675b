using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Platform.Local.FunctionsHost;
using Platform.Local.FunctionsHost.Keys;

namespace Platform.UnitTests.FunctionsHost;

/// <summary>Where keys are asked for; which key opens what is checked over HTTP by the conformance tests.</summary>
public sealed class KeyGateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("keys-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("127.0.0.1", false, false)]
    [InlineData("127.0.0.1", true, true)]
    [InlineData("::1", false, false)]
    [InlineData("0.0.0.0", false, true)]
    [InlineData("::", false, true)]
    [InlineData("192.0.2.7", false, true)]
    public void Keys_AreAskedFor_OnAnyAddressButLoopbackAndThereByChoice(string address, bool chosen, bool asked)
    {
        var gate = RunningApp.GateOf(new FunctionsHostOptions { AppRoot = _folder, StateFolder = _folder, Port = 0, Address = address, EnforceKeysOnLoopback = chosen }, Keys());

        Assert.Equal(!asked, gate.IsAdmin(new DefaultHttpContext()));
    }

    [Fact]
    public void KeyFile_IsForItsOwnerOnlyAndKept()
    {
        var made = Keys();
        made.Set("systemkeys", "grid", "secret");

        var read = Keys();

        Assert.Equal((made.MasterKey, "secret"), (read.MasterKey, read.List("systemkeys")["grid"]));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, "keys.json")));
        }
    }

    [Fact]
    public void KeyFile_Damaged_IsNamedWithWhatToDo()
    {
        File.WriteAllText(Path.Combine(_folder, "keys.json"), "{");

        var failure = Assert.Throws<FunctionAppException>(Keys);

        Assert.Contains("keys.json", failure.Message, StringComparison.Ordinal);
        Assert.IsType<JsonException>(failure.InnerException, exactMatch: false);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("""{"FunctionKeys":{"default":"x"}}""")]
    [InlineData("""{"MasterKey":null}""")]
    [InlineData("""{"MasterKey":""}""")]
    [InlineData("""{"MasterKey":"x","FunctionKeys":{"default":""}}""")]
    [InlineData("""{"MasterKey":"x","SystemKeys":{"grid":null}}""")]
    [InlineData("""{"MasterKey":"x","Functions":{"infer":{"default":""}}}""")]
    [InlineData("""{"MasterKey":"x","Functions":{"infer":null}}""")]
    [InlineData("""{"MasterKey":"x","FunctionKeys":null}""")]
    public void KeyFile_WithAKeyThatIsNone_IsRefused(string json)
    {
        File.WriteAllText(Path.Combine(_folder, "keys.json"), json);

        Assert.Contains("keys.json", Assert.Throws<FunctionAppException>(Keys).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_AreReadInAnyCaseOverARestart()
    {
        Keys().Set("function/Infer", "Mine", "secret");

        Assert.True(Keys().Remove("function/INFER", "MINE"));
    }

    private HostKeys Keys() => HostKeys.Load(Path.Combine(_folder, "keys.json"));
}
