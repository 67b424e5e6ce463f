# Says whether this bundle is as its signer made it.
#
#     powershell -ExecutionPolicy Bypass -File verify.ps1 FINGERPRINT
#
# FINGERPRINT is the SHA-256 of the signer's certificate. Have it told by your
# customer in another way than this bundle came: by telephone, or printed on the
# purchase order. Whoever changed the bundle could have changed this script with it.
# It cannot vouch for itself; if that matters to you, use a copy that you have from
# elsewhere.
#
# It needs PowerShell 5.1 and nothing else. It ends with 0: all is as it was made;
# 1: it is not; 2: it could not be checked.
param([string]$Fingerprint)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2
trap { Write-Host "error: $_"; exit 2 }

$script:bad = 0
function Failed([string]$Name, [string]$Why) {
    Write-Host "FAILED  ${Name}: $Why"
    $script:bad++
}
function Get-Hex([byte[]]$Bytes) { ([System.BitConverter]::ToString($Bytes) -replace '-', '').ToLowerInvariant() }
function Test-Plain($Item) { -not $Item.PSIsContainer -and -not ($Item.Attributes -band [System.IO.FileAttributes]::ReparsePoint) }

$want = ($Fingerprint -replace '[: -]', '').ToLowerInvariant()
if ($want -cnotmatch '^[0-9a-f]{64}$') {
    Write-Host 'usage: powershell -ExecutionPolicy Bypass -File verify.ps1 FINGERPRINT'
    Write-Host 'hint: your customer tells you the fingerprint, 64 hexadecimal digits; do not take it from this bundle'
    exit 2
}
Add-Type -AssemblyName System.Security
$root = (Get-Item -LiteralPath $PSScriptRoot).FullName.TrimEnd('\')
$sums = [System.IO.File]::ReadAllBytes("$root\SHA256SUMS")
$signature = [System.IO.File]::ReadAllBytes("$root\SHA256SUMS.p7s")

# Who signed is compared with the fingerprint; no other trust is asked for.
$content = New-Object System.Security.Cryptography.Pkcs.ContentInfo (, $sums)
$cms = New-Object System.Security.Cryptography.Pkcs.SignedCms ($content, $true)
try {
    $cms.Decode($signature)
    $cms.CheckSignature($true)
} catch {
    Failed 'SHA256SUMS' "its signature is bad: $_"
    exit 1
}
if ($cms.SignerInfos.Count -ne 1) {
    Failed 'SHA256SUMS.p7s' 'it has not one signer'
    exit 1
}
$sha256 = [System.Security.Cryptography.SHA256]::Create()
$got = Get-Hex $sha256.ComputeHash($cms.SignerInfos[0].Certificate.RawData)
if ($got -cne $want) {
    Failed 'SHA256SUMS' "it was signed by another one, whose fingerprint is $got"
    exit 1
}

# What is listed must be there as it was.
$listed = @{}
foreach ($line in [System.Text.Encoding]::UTF8.GetString($sums).Split("`n")) {
    if ($line -eq '') { continue }
    if ($line -cnotmatch '^([0-9a-f]{64})  ((kit/)?[^/\\:*?"<>|]+)$') {
        Failed 'SHA256SUMS' "a line is not a checksum and a file name: $line"
        continue
    }
    $expected = $Matches[1]
    $name = $Matches[2]
    $listed[$name] = $true
    $path = Join-Path $root ($name -replace '/', '\')
    $item = Get-Item -LiteralPath $path -Force -ErrorAction SilentlyContinue
    if ($null -eq $item -or -not (Test-Plain $item)) {
        Failed $name 'it is missing, or not a regular file'
        continue
    }
    $stream = [System.IO.File]::OpenRead($path)
    try { $sum = Get-Hex $sha256.ComputeHash($stream) } finally { $stream.Dispose() }
    if ($sum -cne $expected) { Failed $name 'it has been changed' }
}

# What is there must be listed.
foreach ($item in Get-ChildItem -LiteralPath $root -Recurse -Force) {
    $name = $item.FullName.Substring($root.Length + 1) -replace '\\', '/'
    if ($name -ceq 'kit' -and $item.PSIsContainer -and -not ($item.Attributes -band [System.IO.FileAttributes]::ReparsePoint)) { continue }
    if ($name -ceq 'SHA256SUMS' -or $name -ceq 'SHA256SUMS.p7s') { continue }
    if (-not $listed.ContainsKey($name)) { Failed $name 'it does not belong to the bundle' }
}

if ($script:bad -gt 0) {
    Write-Host 'This bundle is not as it was made. Do not use it.'
    exit 1
}
if ($listed.Count -eq 0) { throw 'SHA256SUMS lists nothing' }
Write-Host "ok      $($listed.Count) files are as their signer made them: $got"
