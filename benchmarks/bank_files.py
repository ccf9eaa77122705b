"""Bank files of any size for benchmarks, written piece by piece. Their sums are counted by who writes them, so that
every reader can be held against them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path

from import_project_tests.formats.bgmax_files import BgMaxFile, Section, money, record

_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:{message}.001.08"
_BATCH = 1000  # payments in one entry of a camt.054
_DEPOSIT = 5_000  # payments in one section of a BgMax file


@dataclass(slots=True)
class Written:
    """What a file holds: payments, and their unsigned sums by direction in minor units."""

    path: Path
    payments: int = 0
    credit: int = 0
    debit: int = 0
    entries: list[int] = field(default_factory=list)

    @property
    def net(self) -> Decimal:
        """The sum of all payments."""
        return Decimal(self.credit - self.debit).scaleb(-2)


def _amounts(written: Written, payments: int) -> Iterator[tuple[int, int, bool]]:
    """Yield a number, an amount in minor units and whether it is money out, for each payment; every tenth is."""
    for number in range(payments):
        minor, out = 1_00 + number * 7919 % 999_900, number % 10 == 9
        written.payments += 1
        if out:
            written.debit += minor
        else:
            written.credit += minor
        yield number, minor, out


def camt053(path: Path, payments: int) -> Written:
    """A statement with an entry for each payment."""
    written = Written(path)
    with path.open("w", encoding="utf-8") as out:
        out.write(_camt_head("camt.053", "BkToCstmrStmt", "Stmt"))
        out.write(_balance("OPBD", 0))
        for number, minor, debit in _amounts(written, payments):
            out.write(_entry(number, minor, debit, _transaction(number, minor, debit, booked=True)))
        out.write(_balance("CLBD", written.credit - written.debit))
        out.write("    </Stmt>\n  </BkToCstmrStmt>\n</Document>\n")
    return written


def camt054(path: Path, payments: int) -> Written:
    """A notification whose entries are batches of money in."""
    written = Written(path)
    with path.open("w", encoding="utf-8") as out:
        out.write(_camt_head("camt.054", "BkToCstmrDbtCdtNtfctn", "Ntfctn"))
        numbers = ((n, minor) for n, minor, debit in _amounts(written, payments * 10 // 9 + 1) if not debit)
        written.debit = 0
        while batch := list(islice(numbers, _BATCH)):
            inside = "".join(_transaction(n, minor, debit=False, booked=False) for n, minor in batch)
            out.write(_entry(batch[0][0], sum(minor for _, minor in batch), debit=False, inside=inside))
            written.entries.append(len(batch))
        out.write("    </Ntfctn>\n  </BkToCstmrDbtCdtNtfctn>\n</Document>\n")
    written.payments, written.debit = sum(written.entries), 0
    return written


def _camt_head(message: str, below: str, container: str) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="{_NAMESPACE.format(message=message)}">
  <{below}>
    <GrpHdr>
      <MsgId>M20261120</MsgId>
      <CreDtTm>2026-11-20T06:00:00+01:00</CreDtTm>
    </GrpHdr>
    <{container}>
      <Id>S20261120</Id>
      <ElctrncSeqNb>224</ElctrncSeqNb>
      <CreDtTm>2026-11-20T06:00:00+01:00</CreDtTm>
      <Acct>
        <Id>
          <IBAN>DE02120300000000202051</IBAN>
        </Id>
        <Ccy>EUR</Ccy>
      </Acct>
"""


def _told(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def _way(debit: bool) -> str:  # noqa: FBT001 - private, and its name says it
    return "DBIT" if debit else "CRDT"


def _balance(code: str, minor: int) -> str:
    return f"""      <Bal>
        <Tp>
          <CdOrPrtry>
            <Cd>{code}</Cd>
          </CdOrPrtry>
        </Tp>
        <Amt Ccy="EUR">{_told(abs(minor))}</Amt>
        <CdtDbtInd>{_way(minor < 0)}</CdtDbtInd>
        <Dt>
          <Dt>2026-11-20</Dt>
        </Dt>
      </Bal>
"""


def _entry(number: int, minor: int, debit: bool, inside: str) -> str:  # noqa: FBT001
    return f"""      <Ntry>
        <NtryRef>{number + 1}</NtryRef>
        <Amt Ccy="EUR">{_told(minor)}</Amt>
        <CdtDbtInd>{_way(debit)}</CdtDbtInd>
        <Sts>
          <Cd>BOOK</Cd>
        </Sts>
        <BookgDt>
          <Dt>2026-11-20</Dt>
        </BookgDt>
        <ValDt>
          <Dt>2026-11-20</Dt>
        </ValDt>
        <AcctSvcrRef>2026112000{number:012}</AcctSvcrRef>
        <BkTxCd>
          <Domn>
            <Cd>PMNT</Cd>
            <Fmly>
              <Cd>RCDT</Cd>
              <SubFmlyCd>ESCT</SubFmlyCd>
            </Fmly>
          </Domn>
        </BkTxCd>
        <NtryDtls>
{inside}        </NtryDtls>
      </Ntry>
"""


def _transaction(number: int, minor: int, debit: bool, *, booked: bool) -> str:  # noqa: FBT001
    side = "Cdtr" if debit else "Dbtr"
    reference = "" if booked else f"<AcctSvcrRef>2026112000{number:012}</AcctSvcrRef>\n              "
    return f"""          <TxDtls>
            <Refs>
              {reference}<EndToEndId>E2E-{number:010}</EndToEndId>
            </Refs>
            <Amt Ccy="EUR">{_told(minor)}</Amt>
            <CdtDbtInd>{_way(debit)}</CdtDbtInd>
            <RltdPties>
              <{side}>
                <Pty>
                  <Nm>Müller und Söhne {number % 5000} GmbH</Nm>
                  <PstlAdr>
                    <StrtNm>Lindenallee</StrtNm>
                    <BldgNb>{number % 200}</BldgNb>
                    <PstCd>10115</PstCd>
                    <TwnNm>Berlin</TwnNm>
                    <Ctry>DE</Ctry>
                  </PstlAdr>
                </Pty>
              </{side}>
              <{side}Acct>
                <Id>
                  <IBAN>DE{number % 97:02}500105175407{number % 1_000_000:06}</IBAN>
                </Id>
              </{side}Acct>
            </RltdPties>
            <RltdAgts>
              <{side}Agt>
                <FinInstnId>
                  <BICFI>INGDDEFFXXX</BICFI>
                </FinInstnId>
              </{side}Agt>
            </RltdAgts>
            <RmtInf>
              <Ustrd>Rechnung {number:07} vom 12.11.2026</Ustrd>
              <Strd>
                <CdtrRefInf>
                  <Tp>
                    <CdOrPrtry>
                      <Cd>SCOR</Cd>
                    </CdOrPrtry>
                  </Tp>
                  <Ref>RF18{number:012}</Ref>
                </CdtrRefInf>
              </Strd>
            </RmtInf>
          </TxDtls>
"""


def mt940(path: Path, payments: int) -> Written:
    """Statements of 100 payments each, one account, balances that follow on another."""
    written, balance, number = Written(path), 0, 0
    lines = iter(_amounts(written, payments))
    with path.open("w", encoding="ascii", newline="\r\n") as out:
        while batch := list(islice(lines, 100)):
            number += 1
            opening, balance = balance, balance + sum(-m if debit else m for _, m, debit in batch)
            out.write(f":20:S{number:06}\n:25:20041010/1234567890\n:28C:{number % 99999}/1\n:60F:{_swift(opening)}\n")
            for n, minor, debit in batch:
                out.write(f":61:2611201120{'D' if debit else 'C'}{_swift_money(minor)}NTRFE2E-{n:010}//B{n:012}\n")
                out.write(
                    f":86:166?00GUTSCHRIFT?109310?20EREF+E2E-{n:010}?21SVWZ+Rechnung {n:07}?22vom 12.11.2026"
                    f"?30INGDDEFF?31DE{n % 97:02}500105175407{n % 1_000_000:06}?32Mueller und Soehne {n % 5000}\n"
                )
            out.write(f":62F:{_swift(balance)}\n-\n")
    return written


def _swift_money(minor: int) -> str:
    return f"{minor // 100},{minor % 100:02}"


def _swift(minor: int) -> str:
    return f"{'D' if minor < 0 else 'C'}261120EUR{_swift_money(abs(minor))}"


def bai2(path: Path, payments: int) -> Written:
    """One group, accounts of 1,000 transactions each, trailers that add up."""
    written = Written(path)
    records, total, accounts = 2, 0, 0
    lines = iter(_amounts(written, payments))
    with path.open("w", encoding="ascii", newline="\n") as out:
        out.write("01,021000021,ACME,261120,0600,1,80,,2/\n02,ACME,021000021,1,261120,0600,USD,2/\n")
        while batch := list(islice(lines, 1000)):
            accounts += 1
            moved = sum(-m if debit else m for _, m, debit in batch)
            control = moved + sum(m for _, m, _ in batch)
            out.write(f"03,{accounts:010},USD,010,0,,,015,{moved},,/\n")
            for n, minor, debit in batch:
                out.write(f"16,{'475' if debit else '142'},{minor},Z,B{n:012},R{n:010},\n")
                out.write(f"88,Invoice {n:07} Mueller und Soehne {n % 5000}\n")
            out.write(f"49,{control},{len(batch) * 2 + 2}/\n")
            total, records = total + control, records + len(batch) * 2 + 2
        out.write(f"98,{total},{accounts},{records}/\n99,{total},1,{records + 2}/\n")
    return written


def bgmax(path: Path, payments: int) -> Written:
    """Deposits of 5,000 payments, a name with each."""
    written = Written(path)
    sections, numbers = [], ((n, m) for n, m, _ in _amounts(written, payments))
    while batch := list(islice(numbers, _DEPOSIT)):
        records = []
        for n, minor in batch:
            records.append(money("20", _told(minor), reference=str(n), serial=f"{n:012}"))
            records.append(record(f"26Müller och söner {n % 5000} AB"))
        sections.append(Section(records, deposit=f"{len(sections) + 1:05}"))
    path.write_bytes(BgMaxFile(sections).content())
    written.credit, written.debit = written.credit + written.debit, 0
    return written
